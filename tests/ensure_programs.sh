# The tests drive the system's Chromium, curl and exiftool; install them where that is possible.
set -e
missing=
command -v curl >/dev/null || missing="curl"
command -v exiftool >/dev/null || missing="$missing libimage-exiftool-perl"
found=
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && found=yes
done
[ -n "$found" ] || missing="$missing chromium"
[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # Package names, to be split at spaces.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
else
    echo "The tests need the packages $missing: install them and run again." >&2
    exit 1
fi
