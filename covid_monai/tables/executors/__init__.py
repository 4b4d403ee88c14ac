"""Where jobs are run: in this process, in processes of this machine, or on a Ray cluster.

Each module has ``run(queue, run_job, listener, ...)``, which ends when every job is done or has failed, here or in
another process that works on the same output folder.
"""

EXECUTORS = ("in-process", "processes", "ray")
