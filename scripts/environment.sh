# Sourced by the scripts beside it: moves to the checkout and makes `.venv`, an environment that holds exactly
# requirements.lock and this project. It is made once, and again whenever the lock changes.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# Every process that a test starts would compile the engine anew, and every test process the tests.
unset PYTHONDONTWRITEBYTECODE

find_python() {
  local candidate
  for candidate in python3.11 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Tidegate needs Python 3.11 or newer, and none was found. Next: install one, with pip and venv." >&2
  return 2
}

make_environment() {
  local python locked described
  python="$(find_python)"
  locked="$(digest_of "$python" requirements.lock)"
  described="$(digest_of "$python" pyproject.toml)"
  if [[ "$(stamp locked)" != "$locked" ]]; then
    echo "Making .venv from requirements.lock (once; a minute or two)" >&2
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --requirement requirements.lock
    echo "$locked" > .venv/locked
  fi
  if [[ "$(stamp described)" != "$described" ]]; then
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
    echo "$described" > .venv/described
  fi
}

# What `.venv` was made of, which is written when that is done.
stamp() { cat ".venv/$1" 2>/dev/null || true; }

digest_of() {
  "$1" -c 'import hashlib, pathlib, sys; print(hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes()).hexdigest())' "$2"
}
