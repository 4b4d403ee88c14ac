import os
import platform
import subprocess
import sys

import pytest

# the features of a batch, given back at the end of a step; then the same ten times again
PROGRAM = """
import resource
import torch
from covid_monai.environment import keep_freed_memory
kept = keep_freed_memory() if {kept} else None
def resident():
    return int(open("/proc/self/statm").read().split()[1])
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    return [torch.empty(2**22).fill_(1.0) for _ in range(12)]
before = resident()
features = step()
del features
held, seen = resident() - before, faults()
for _ in range(10):
    features = step()
    del features
print(kept, held, faults() - seen)
"""
PAGES = 12 * 4 * 2**22 // 4096

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def run(*, kept, **variables):
    """The function's answer, the pages that stay after the first step, and those that the others ask for."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    program = [sys.executable, "-c", PROGRAM.format(kept=kept)]
    done = subprocess.run(program, env={**own, **variables}, capture_output=True, text=True, check=True)
    word, held, faults = done.stdout.split()
    return word, int(held), int(faults)


@glibc
def test_memory_that_tensors_gave_back_stays_and_is_used_again():
    word, held, faults = run(kept=True)
    assert word == "True"
    assert held > 0.9 * PAGES
    # the blocks need not come to lie as in the first step, but there is no more and more of them
    assert faults < 2 * PAGES
    # what glibc does by itself
    assert run(kept=False)[1] < 0.1 * PAGES


@glibc
def test_variables_of_glibc_go_before_it():
    assert run(kept=True, MALLOC_ARENA_MAX="2")[0] == "False"
