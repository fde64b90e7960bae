"""The wire contract's messages and stubs, generated from `proto/` by the build and never checked in."""
