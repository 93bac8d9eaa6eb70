"""The version of this package, where its build, its front and the server can read it."""

VERSION = "0.1.0"
