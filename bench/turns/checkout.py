"""Checkout: the files of one commit with their own Python packages, in a temporary folder."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.child import TREE, MeasurementError
from bench.system import Tree


@asynccontextmanager
async def checkout(commit: str) -> AsyncGenerator[Tree]:
    """The tree of the commit while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="spreader-before-"))
    os.chmod(folder, 0o755)  # Postgres runs as another user than root, and its program is in this folder
    try:
        await _run("git", "worktree", "add", "--detach", str(folder / "tree"), commit, folder=TREE)
        await _run("make", "setup", folder=folder / "tree")
        yield Tree(folder / "tree", folder / "tree" / ".venv" / "bin" / "python")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        await _run("git", "worktree", "prune", folder=TREE)


async def _run(*command: str, folder: Path) -> None:
    without = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=without, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise MeasurementError(f"{' '.join(command)} failed: {output.decode(errors='replace')[-500:]}")
