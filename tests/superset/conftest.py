"""The program under test."""


def pytest_addoption(parser):
    parser.addoption("--restable", required=True, help="the program")
