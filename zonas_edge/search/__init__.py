"""The search: sparsemax mixtures, zeroth-order hypergradients, budget, selection."""
