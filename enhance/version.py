"""The version of this package, in a module that its build can read without importing others."""

VERSION = "0.3.0"
