"""From a packed service to an OCI image.

Front door: `containerize.containerize`. `builder` is the tool that builds, `context` what it builds from, `setup`
what runs inside the image while it is built, `package_pins` the packages of the image with their hashes. The service
itself is a bento (`sinara_lib.bento`).
"""
