#!/bin/sh
# Unpack the photographs that packages ship into the folder $1. Needs Debian's apt and dpkg, and pip.
set -eu
mkdir -p "$1" && cd "$1"
apt-get download lomiri-wallpapers-16.04 mate-backgrounds plasma-workspace-wallpapers
for package in ./*.deb; do dpkg -x "$package" . && rm "$package"; done
python3 -m pip download --no-deps --no-binary :all: face_recognition==1.3.0
tar xzf face_recognition-1.3.0.tar.gz && rm face_recognition-1.3.0.tar.gz
