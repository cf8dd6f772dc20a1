"""The operating system: cores, CPU time, memory, and programs started on a core."""

import contextlib
import os
import platform
import resource
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hubbub.supervisor.private_redis import HOW_TO_INSTALL, answers, bound_to_parent, find_binary

START_SECONDS = 30.0
STOP_SECONDS = 10.0


def server_cores() -> list[int]:
    """Cores for servers, one process on each; the last core of the machine is the load client's."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[:-1] or cores


def client_core() -> int:
    """The core of the load client and Redis."""
    return ALL_CORES[-1]


ALL_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = server_cores()


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run programs started inside on `core`: a child has its parent's affinity from its first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """As many open files as are allowed; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Program:
    """A child process. Ends with us, however we end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        folder: Path,
        environ: Mapping[str, str],
        log: Path,
        with_pipes: bool = False,
    ) -> None:
        self.log = log
        pipe = subprocess.PIPE if with_pipes else None
        with on_core(core), log.open("ab") as output:
            self.process = subprocess.Popen(
                bound_to_parent(list(command)),
                cwd=folder,
                env=dict(environ),
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, line: str) -> str:
        """Write a line to its standard input; the line that it answers with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        if not answer:
            raise RuntimeError(f"{self.log.stem} ended: {self.tail()}")
        return answer

    def wait_until_listening(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self.log.stem} did not start: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def unrestricted_redis(path: Path, folder: Path) -> Iterator[None]:
    """A Redis on the socket `path` that takes every command, as the system's does: some peers use scripts."""
    binary = find_binary()
    if binary is None:
        raise RuntimeError(HOW_TO_INSTALL)
    command = [os.fspath(binary.path), "--port", "0", "--unixsocket", os.fspath(path)]
    command += ["--save", "", "--appendonly", "no", "--loglevel", "warning"]
    log = folder / f"{path.stem}.log"
    program = Program(command, core=client_core(), folder=folder, environ=os.environ, log=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(path):
            if program.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start on {path}: {program.tail()}")
            time.sleep(0.01)
        yield
    finally:
        program.stop()
        path.unlink(missing_ok=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, all its threads, since it began. In nanoseconds where the kernel counts them."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except OSError:
        # utime and stime, fields 14 and 15 of proc(5), which ends threads' times are part of.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def describe() -> dict[str, str]:
    """The machine, for readers of the figures."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": f"{model}, {len(ALL_CORES)} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"Python {platform.python_version()}",
    }


def busy_share(seconds: float = 1.0) -> float:
    """The part of all cores' time that the machine is busy with others, measured now: 0 to 1."""
    first = _times()
    time.sleep(seconds)
    second = _times()
    total = sum(second) - sum(first)
    idle = (second[3] + second[4]) - (first[3] + first[4])
    return 1 - idle / total if total else 0.0


def _times() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
