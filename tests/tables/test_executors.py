import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from filelock import FileLock

from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.processes import Slot
from covid_monai.tables.executors import local
from covid_monai.tables.executors.local import slots_of
from covid_monai.tables.executors.queue import Queue
from covid_monai.tables.executors.ray import processors_of_smallest_node
from covid_monai.tables.folder import lock_file, prepare_parts, state_of
from covid_monai.tables.job import run_job
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table
from tests.tables.light_jobs import Light, Listening, LongAnswer, jobs_of, tries
from tests.tables.tiny_table import write_table

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed; pip install 'covid-monai[cluster]'"
)
TWO_SLOTS = [Slot("cpu", 1), Slot("cpu", 1)]


def queue_of(jobs, output, listener):
    return Queue(jobs, partial(state_of, output=output), listener)


def complete(job, output):
    (output / job.folder).mkdir(parents=True)
    (output / job.folder / "job.json").write_text('{"format": "covid-monai job", "version": 2}')


def test_in_this_process_jobs_are_run_in_order_and_done_ones_are_found(tmp_path):
    jobs, listener = jobs_of(3), Listening()
    complete(jobs[1], tmp_path)
    local.run_in_process(queue_of(jobs, tmp_path, listener), Light(tmp_path), listener, "cpu")
    assert listener.begun == [0, 2]
    assert listener.status_of() == {0: "done", 1: "found", 2: "done"}
    assert {(process, device) for _, process, device, *_ in tries(tmp_path)} == {(str(os.getpid()), "cpu")}


@pytest.mark.parametrize("dies", [False, True])
def test_a_job_of_another_process_is_waited_for_and_run_here_if_that_process_dies(dies, tmp_path):
    jobs, listener = jobs_of(2), Listening()
    home = tmp_path / jobs[0].folder
    home.parent.mkdir(parents=True)
    lock = FileLock(lock_file(home), thread_local=False)
    lock.acquire()

    def other_process_ends():
        if not dies:
            complete(jobs[0], tmp_path)
        lock.release()

    threading.Timer(1.5, other_process_ends).start()
    local.run_in_process(queue_of(jobs, tmp_path, listener), Light(tmp_path), listener)
    assert listener.status_of() == {0: "done" if dies else "found", 1: "done"}
    assert [outcome.job.fold for outcome in listener.outcomes] == [1, 0]


def test_an_answer_of_any_length_comes_back_from_a_process(tmp_path):
    jobs, listener = jobs_of(1), Listening()
    local.run_in_processes(queue_of(jobs, tmp_path, listener), LongAnswer(), listener, TWO_SLOTS)
    assert [len(outcome.message) for outcome in listener.outcomes] == [1_000_000]


@pytest.mark.parametrize(("with_gpu", "processors"), [(False, 4), (True, 8)])
def test_a_job_on_ray_asks_for_no_more_processors_than_a_node_has(with_gpu, processors):
    class Cluster:
        @staticmethod
        def nodes():
            resources = [{"CPU": 4.0}, {"CPU": 8.0, "GPU": 1.0}, {"CPU": 32.0, "GPU": 4.0}, {"memory": 1.0}]
            dead = {"Alive": False, "Resources": {"CPU": 1.0, "GPU": 1.0}}
            return [*({"Alive": True, "Resources": resource} for resource in resources), dead]

    assert processors_of_smallest_node(Cluster(), with_gpu) == processors


def test_processes_run_as_many_jobs_at_once_as_there_are_slots(tmp_path):
    jobs, listener = jobs_of(4), Listening()
    slots = [Slot("cpu", 1), Slot("meta", 3)]
    local.run_in_processes(queue_of(jobs, tmp_path, listener), Light(tmp_path, seconds=0.5), listener, slots)
    assert set(listener.status_of().values()) == {"done"}
    tried = tries(tmp_path)
    assert sorted(fold for fold, *_ in tried) == ["0", "1", "2", "3"]
    # a process a job, none of them this one
    assert len({process for _, process, *_ in tried} | {str(os.getpid())}) == 5
    assert {(device, threads) for _, _, device, threads, _ in tried} == {("cpu", "1"), ("meta", "3")}


def test_a_process_that_is_killed_fails_its_job_alone(tmp_path):
    jobs, listener = jobs_of(3), Listening()
    local.run_in_processes(queue_of(jobs, tmp_path, listener), Light(tmp_path, killed=True), listener, TWO_SLOTS)
    assert listener.status_of() == {0: "done", 1: "failed", 2: "done"}
    (failed,) = [outcome for outcome in listener.outcomes if outcome.status == "failed"]
    assert failed.message == "its process was killed by SIGKILL before it was done; `resume=True` goes on with it"


def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = (
        "from pathlib import Path\n"
        "from covid_monai.tables.executors import local\n"
        "from tests.tables.light_jobs import Light, Listening, jobs_of\n"
        "from tests.tables.test_executors import TWO_SLOTS, queue_of\n"
        "if __name__ == '__main__':\n"
        f"    output, listener = Path({str(tmp_path)!r}), Listening()\n"
        "    queue = queue_of(jobs_of(1), output, listener)\n"
        "    local.run_in_processes(queue, Light(output, seconds=600), listener, TWO_SLOTS)\n"
    )
    (tmp_path / "parent.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], env=environment)
    started = tmp_path / "jobs/paper/row/tries"
    wait_for(lambda: started.exists() and started.read_text().endswith("\n"), seconds=120)
    child = int(tries(tmp_path)[0][1])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not alive(child), seconds=20)
    assert state_of(jobs_of(1)[0], tmp_path) == "waiting"


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("gpus", "device", "workers", "per_device", "devices"),
    [
        (0, None, None, None, ["cpu"] * 2),
        (0, None, 3, None, ["cpu"] * 3),
        (4, "cpu", 3, None, ["cpu"] * 3),
        (2, None, None, None, ["cuda:0", "cuda:1"]),
        (2, "cuda", None, 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        (2, None, 3, 2, ["cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_slots_are_dealt_out_over_the_devices(gpus, device, workers, per_device, devices, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert [slot.device for slot in slots_of(device, workers, per_device)] == devices


def test_the_processors_are_divided_among_the_slots(monkeypatch):
    monkeypatch.setattr("covid_monai.processes.processors", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert {slot.threads for slot in slots_of("cpu", 3, None)} == {5}
    assert {slot.threads for slot in slots_of("cpu", 32, None)} == {1}
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert {slot.threads for slot in slots_of("cpu", 3, None)} == {2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cpu", 0, None), "workers is 0; it must be at least 1"),
        (("cpu", None, 2), "`per_device` is 2, but the device is cpu"),
        (("cuda:7", None, None), "device 'cuda:7' cannot be used"),
    ],
)
def test_slots_that_cannot_be_are_refused(arguments, message, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError, match=message):
        slots_of(*arguments)


class KilledOnce:
    """Runs a job; at the first try of fold 0 the process is killed in the middle of the second epoch."""

    def __init__(self, output, data):
        self.output = output
        self.data = data

    def __call__(self, job, device, threads):
        marker = self.output / "killed"
        if job.fold == 0 and not marker.exists():
            from covid_monai.handlers.log import EpochLog

            add_loss = EpochLog.add_loss

            def kill_in_second_epoch(log, engine):
                add_loss(log, engine)
                if engine.state.epoch == 2:
                    marker.write_text(str(os.getpid()))
                    os.kill(os.getpid(), signal.SIGKILL)

            EpochLog.add_loss = kill_in_second_epoch
        return run_job(job, device, threads, output=self.output, data=self.data)


@pytest.fixture
def local_ray():
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="error")
    yield ray
    ray.shutdown()


@needs_ray
@pytest.mark.slow
def test_ray_goes_on_with_the_job_of_a_worker_that_was_killed(tiny_dataset, tmp_path, local_ray):
    from covid_monai.tables.executors import ray

    table = read_table(str(write_table(tmp_path)))
    jobs, listener = plan(table, ["grouped"], table.rows[:1], seeds=1), Listening()
    assert len(jobs) == 2
    prepare_parts(table, jobs, tiny_dataset, tmp_path)
    ray.run(queue_of(jobs, tmp_path, listener), KilledOnce(tmp_path, tiny_dataset), listener, device="cpu")
    assert listener.status_of() == {0: "done", 1: "done"}, listener.outcomes
    assert int((tmp_path / "killed").read_text()) != os.getpid()
    # the weights of a job that nobody killed
    whole = tmp_path / "whole"
    prepare_parts(table, jobs, tiny_dataset, whole)
    assert run_job(jobs[0], "cpu", 1, output=whole, data=tiny_dataset).status == "done"
    weights = f"{jobs[0].folder}/model.safetensors"
    assert sha256_of(tmp_path / weights) == sha256_of(whole / weights)


def test_ray_refuses_a_device_of_ones_own(tmp_path):
    from covid_monai.tables.executors import ray

    with pytest.raises(InputError, match="device is cuda:1, but Ray gives every job its own"):
        ray.run(queue_of([], tmp_path, Listening()), Light(tmp_path), Listening(), device="cuda:1")


def test_without_ray_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    from covid_monai.tables.executors import ray

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray is not installed; `pip install 'covid-monai\[cluster\]'`"):
        ray.run(queue_of([], tmp_path, Listening()), Light(tmp_path), Listening())
