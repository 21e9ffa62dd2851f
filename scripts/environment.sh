# Sourced by the scripts beside it: moves to the checkout and makes `.venv`, an environment that holds exactly
# requirements.lock and this project. It is made once, and again whenever the lock or pyproject.toml changes.

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
  local python stamp wanted
  python="$(find_python)"
  stamp=.venv/installed
  wanted="$("$python" - requirements.lock pyproject.toml <<'PY'
import hashlib, pathlib, sys
print(hashlib.sha256(b"\0".join(pathlib.Path(name).read_bytes() for name in sys.argv[1:])).hexdigest())
PY
)"
  if [[ -f "$stamp" && "$(cat "$stamp")" == "$wanted" ]]; then
    return
  fi
  echo "Making .venv from requirements.lock (once; a minute or two)" >&2
  "$python" -m venv --clear .venv
  .venv/bin/python -m pip install --quiet --requirement requirements.lock
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
  echo "$wanted" > "$stamp"
}
