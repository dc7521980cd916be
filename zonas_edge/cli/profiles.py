"""Device profiles: list them, show one, check one's own."""

from typing import Annotated

import typer

from zonas_edge.cli import options as o
from zonas_edge.cli.output import show, show_json

app = typer.Typer(
    name="profiles",
    help="Device profiles: what a network may cost.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("list")
def list_profiles(as_json: o.AsJson = False) -> None:
    """List the profiles that come with the package, and the constraint levels.

    Example: zonas-edge profiles list
    """
    from zonas_edge.profile import LEVELS, Level, shipped_profiles
    from zonas_edge.report.profiles import level_table, profile_table
    from zonas_edge.runtimes import load_consistent_profile

    profiles = [load_consistent_profile(name) for name in shipped_profiles()]
    levels = [Level(name) for name in LEVELS]
    if as_json:
        found = [profile.to_dict() for profile in profiles]
        bands = [level.to_dict() for level in levels]
        show_json({"profiles": found, "levels": bands})
    else:
        show(profile_table(profiles))
        show("")
        show(level_table(levels))


@app.command("show")
def show_profile(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A shipped profile, a constraint level, or a file."
        ),
    ],
    as_json: o.AsJson = False,
) -> None:
    """Show every figure of a profile, or the bands of a constraint level.

    Example: zonas-edge profiles show raspberry-pi-4
    """
    from zonas_edge.profile import Level
    from zonas_edge.report.profiles import level_renderable, profile_renderable
    from zonas_edge.runtimes import load_profile_or_level

    found = load_profile_or_level(name)
    if as_json:
        show_json(found.to_dict())
    elif isinstance(found, Level):
        show(level_renderable(found))
    else:
        show(profile_renderable(found))


@app.command("check")
def check_profile(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A profile in TOML of your own.")
    ],
    as_json: o.AsJson = False,
) -> None:
    """Check that a profile of your own can be used.

    Example: zonas-edge profiles check my-board.toml
    """
    from zonas_edge.constraint import check_fitted
    from zonas_edge.report.words import plain
    from zonas_edge.runtimes import check_makeable, load_consistent_profile

    path = file if "/" in file or file.endswith(".toml") else f"./{file}"
    profile = load_consistent_profile(path)
    check_fitted(profile)
    check_makeable(profile.runtime, profile.path)
    if as_json:
        show_json({"valid": True, **profile.to_dict()})
    else:
        typer.echo(f"{plain(file)}: can be used")
