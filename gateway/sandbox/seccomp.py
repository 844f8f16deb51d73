"""The system calls that sandboxed code may make: a list of what Python needs, and no other."""

from __future__ import annotations

import errno
import socket
import tempfile

from gateway.errors import SandboxUnavailable

ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 sendfile
    copy_file_range open openat openat2 creat close close_range dup dup2 dup3 pipe pipe2 fcntl flock
    stat fstat lstat newfstatat fstatat64 statx statfs fstatfs lseek _llseek access faccessat
    faccessat2 ftruncate truncate fsync fdatasync fallocate fadvise64 getdents getdents64 getcwd
    chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink
    symlinkat readlink readlinkat chmod fchmod fchmodat utime utimes utimensat futimesat umask
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    brk mmap mmap2 munmap mremap mprotect madvise msync mincore membarrier
    futex futex_waitv get_robust_list set_robust_list set_tid_address rseq gettid getpid getppid
    getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid getresgid
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
    sched_get_priority_min getcpu getpriority
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage getitimer
    setitimer alarm timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    timerfd_create timerfd_settime timerfd_gettime
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
    sigaltstack kill tgkill tkill pause restart_syscall
    select _newselect pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait
    epoll_pwait epoll_pwait2 eventfd eventfd2
    sendmsg recvmsg sendto recvfrom getsockopt setsockopt getsockname getpeername shutdown
    getrandom uname sysinfo getrlimit ugetrlimit setrlimit prlimit64 arch_prctl
    execve exit exit_group wait4 waitid
"""
"""`execve` starts Python itself; there is nothing else to start, and no process to start it in."""

CLONE_THREAD = 0x10000
NAMES = (15, 16)  # PR_SET_NAME, PR_GET_NAME
TERMINAL = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS FIONREAD FIONBIO FIONCLEX FIOCLEX


def program() -> bytes:
    """The filter as the kernel's BPF, for this machine's architecture.

    All else fails with "operation not permitted": new processes and namespaces, mounts, sockets but
    for pairs of the process's own, ptrace, keys, BPF, performance counters, io_uring, userfaultfd,
    shared and anonymous memory files. `SandboxUnavailable` where libseccomp is not installed.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxUnavailable(f"libseccomp cannot be used: {error}") from None
    arg, equal = pyseccomp.Arg, pyseccomp.EQ
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    # Another architecture's calls have other numbers: what makes them ends there and then.
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    # Its arguments lie in memory, where a filter cannot look; without it threads use clone.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(
        pyseccomp.ALLOW, "clone", arg(0, pyseccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    )
    rules.add_rule(pyseccomp.ALLOW, "socketpair", arg(0, equal, socket.AF_UNIX))
    for option in NAMES:
        rules.add_rule(pyseccomp.ALLOW, "prctl", arg(0, equal, option))
    for request in TERMINAL:
        rules.add_rule(pyseccomp.ALLOW, "ioctl", arg(1, equal, request))
    for name in ALLOWED.split():
        # What this architecture does not have, its libraries do not call.
        if pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) >= 0:
            rules.add_rule(pyseccomp.ALLOW, name)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
