"""A function for the documents beside this file."""


def work(**given: object) -> str:
    return "done"
