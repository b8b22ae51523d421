"""The shared library of the kernels: found in the cache folder, or compiled.

A library is code, so it is loaded only if nobody else can have written it: its folder and the file belong to this user,
and no other user may write to them. Its last bytes are its SHA-256; a truncated or changed file is compiled again.
"""

import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from stilts_core.storage.atomic import whole_file
from stilts_core.storage.cache import cache_folder, is_private, private_folder, report_damage
from stilts_core.storage.leftovers import remove

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.c")))
FLAGS = ("-O3", "-march=native", "-fopenmp", "-fPIC")
COMPILER_SECONDS = 120.0  # for one file, which takes 3 s on an idle core
DIGEST = hashlib.sha256().digest_size  # bytes; what follows the last section of an ELF file is ignored


class Unavailable(RuntimeError):
    """There are no kernels; the message is the reason."""


def find_library() -> Path:
    """Return the path of the compiled library; compile it first if this machine has not compiled it yet.

    Raises Unavailable without a compiler, and if the compiler fails or does not end.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise Unavailable("no C compiler found (on Debian: apt-get install gcc libc6-dev)")
    found = _find_once(compiler, cache_folder() / "kernels")
    if isinstance(found, str):
        raise Unavailable(found)
    return found


@cache
def _find_once(compiler: str, first: Path) -> Path | str:
    """The library, or why there is none: a process tries only once."""
    try:
        return _find(compiler, first)
    except (OSError, Unavailable) as error:
        return str(error)


def _find(compiler: str, first: Path) -> Path:
    name = f"{_hash_version(compiler)}.so"
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / name
        last = private_folder() / "kernels"
        if library := _find_in(first, name, compiler, compiled):
            return library
        sys.stderr.write(f"The kernels are in {last} instead.\n")
        if library := _find_in(last, name, compiler, compiled):
            return library
    raise Unavailable(f"neither {first} nor {last} is a folder of this user's own that can be written")


def _find_in(folder: Path, name: str, compiler: str, compiled: Path) -> Path | None:
    """The library in `folder`, compiled if it is not there; None, with a line that says why, if it cannot be there.

    `compiled` is where the compiler writes, so that a second folder needs no second compilation.
    """
    library = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(folder):
            sys.stderr.write(
                f"No kernels are loaded from {folder}, because another user owns it or can write to it; remove it, or "
                f"run: chmod go-w {folder}\n"
            )
            return None
        if library.exists():
            if (damage := _find_damage(library)) is None:
                return library
            report_damage(library, damage)
            remove(library)
        if not compiled.exists():
            _compile(compiler, compiled)
        with whole_file(library) as partial:
            content = compiled.read_bytes()
            partial.write_bytes(content + hashlib.sha256(content).digest())
            partial.chmod(0o700)
    except OSError as error:
        sys.stderr.write(f"The kernels cannot be stored in {folder} ({error.strerror or error}).\n")
        return None
    return library


def _find_damage(library: Path) -> str | None:
    """What is wrong with a stored library, in words."""
    status = library.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return "another user owns it or can write to it"
    content = library.read_bytes()
    whole = hashlib.sha256(content[:-DIGEST]).digest() == content[-DIGEST:]
    return None if whole else "its SHA-256 is not the stored one"


def read_cpu_flags() -> str:
    """The line of /proc/cpuinfo that lists the CPU's instructions; empty where there is none."""
    try:
        found = re.search(r"^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[0] if found else ""


def _hash_version(compiler: str) -> str:
    """A hash of everything that decides the compiled kernels: sources, compiler, flags, and the CPU's instructions."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.[ch]"))]
    version = _call([compiler, "--version"]).stdout.encode()
    # The number is the version of the file's form: 2 has its digest at the end.
    facts = (b"2", *sources, version, " ".join(FLAGS).encode(), read_cpu_flags().encode())
    return hashlib.sha256(b"\0".join(facts)).hexdigest()[:32]


def _compile(compiler: str, path: Path) -> None:
    """Compile the kernels into `path`, without linking an OpenMP library: PyTorch has loaded one."""
    objects = [str(path.with_name(f"{source.stem}.o")) for source in SOURCES]
    commands = [[*FLAGS, "-c", str(source), "-o", out] for source, out in zip(SOURCES, objects, strict=True)]
    for arguments in (*commands, ["-shared", *objects, "-o", f"{path}.part", "-lm"]):
        done = _call([compiler, *arguments])
        if done.returncode:
            raise Unavailable(f"{compiler} failed ({(done.stderr.strip().splitlines() or ['no message'])[-1]})")
    try:
        os.replace(f"{path}.part", path)
    except FileNotFoundError:
        raise Unavailable(f"{compiler} wrote no file") from None


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the compiler; end it, with the processes that it started, if it takes longer than COMPILER_SECONDS."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, errors="replace", start_new_session=True) as process:  # type: ignore[call-overload]
        try:
            out, err = process.communicate(timeout=COMPILER_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            reason = f"{command[0]} did not end within {COMPILER_SECONDS:g} seconds"
            sys.stderr.write(f"Computing without kernels, and slower: {reason}.\n")
            raise Unavailable(reason) from None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
