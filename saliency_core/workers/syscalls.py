"""The kernel calls that a confined worker may not make, as a seccomp filter for x86-64 and ARM64.

TensorFlow needs memory, threads, clocks and files; none of the calls below. A denied call fails with
"operation not permitted", so that a library that only tries goes on. Calls newer than this table look as if
the kernel did not have them.
"""

from __future__ import annotations

import struct

X86_64, AARCH64 = "x86_64", "aarch64"
ARCHITECTURES = {X86_64: 0xC000003E, AARCH64: 0xC00000B7}  # as the kernel tells a filter
NEWEST = 450  # the same number on both; above it lie newer calls and those of the x32 ABI
THREAD, SHARED, ANONYMOUS = 0x10000, 0x1, 0x20  # flags of clone and of mmap

# name, number on x86-64, number on ARM64
DENIED = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242
sendto 44 206, sendmsg 46 211, sendmmsg 307 269, recvfrom 45 207, recvmsg 47 212, recvmmsg 299 243

fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, setsid 112 157, setpgid 109 154
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440, kcmp 312 272
process_mrelease 448 448, pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, tkill 200 130
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, sched_setaffinity 203 122, sched_setscheduler 144 119
sched_setparam 142 118, sched_setattr 314 274, setpriority 141 140, ioprio_set 251 30
migrate_pages 256 238, move_pages 279 239

chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16
utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88, truncate 76 45, mknod 133 -, mknodat 259 33
symlink 88 -, symlinkat 266 36, link 86 -, linkat 265 37

mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, move_mount 429 429, open_tree 428 428
fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, mount_setattr 442 442
unshare 272 97, setns 308 268, open_by_handle_at 304 265, name_to_handle_at 303 264
fanotify_init 300 262, fanotify_mark 301 263
inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27
quotactl 179 60, quotactl_fd 443 443, acct 163 89
swapon 167 224, swapoff 168 225, sync 162 81, syncfs 306 267

io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427
io_setup 206 0, io_destroy 207 1, io_submit 209 2, io_cancel 210 3, io_getevents 208 4, io_pgetevents 333 292
add_key 248 217, request_key 249 218, keyctl 250 219, bpf 321 280, perf_event_open 298 241
userfaultfd 323 282, memfd_create 319 279, memfd_secret 447 447
shmget 29 194, shmat 30 196, shmctl 31 195, shmdt 67 197
semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187
mq_open 240 180, mq_unlink 241 181, mq_timedsend 242 182, mq_timedreceive 243 183, mq_notify 244 184

init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294
reboot 169 142, iopl 172 -, ioperm 173 -, modify_ldt 154 -, settimeofday 164 170, clock_settime 227 112
adjtimex 159 171, clock_adjtime 305 266, sethostname 170 161, setdomainname 171 162, syslog 103 116
vhangup 153 58, personality 135 92, lookup_dcookie 212 18, nfsservctl 180 42, uselib 134 -
setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147, setresgid 119 149
setgroups 116 159, setfsuid 122 151, setfsgid 123 152, capset 126 91
"""
LOOKED_AT = """
mmap 9 222, fcntl 72 25, clone 56 220, clone3 435 435, prctl 157 167, prlimit64 302 261
kill 62 129, tgkill 234 131
"""

LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets of what a filter is shown; arguments are 8 bytes each
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
OWNER_COMMANDS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals by way of a file
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG: it shall go on dying with its parent

Step = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def numbers(table: str, machine: str) -> dict[str, int]:
    """Return the calls of a table by name, without those that the machine does not have."""
    rows = [row.split() for row in table.replace("\n", ",").split(",") if row.strip()]
    column = (X86_64, AARCH64).index(machine) + 1
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def filter_program(machine: str, pid: int) -> bytes:
    """Return the filter for a process as the kernel reads it; KeyError for another machine."""
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),  # 32-bit calls of a 64-bit process
        (LOAD, 0, 0, NUMBER),
        *_when(GREATER, NEWEST, [(RETURN, 0, 0, ERROR | ENOSYS)]),
    ]
    rules = {
        "clone3": [(RETURN, 0, 0, ERROR | ENOSYS)],  # its flags cannot be seen; the C library takes clone
        "clone": [_argument(0), (ANY_BIT, 0, 1, THREAD), *_verdict(ALLOW, ERROR | EPERM)],
        "kill": _only(pid),
        "tgkill": _only(pid),
        "prlimit64": _only(0, pid),
        "mmap": [
            _argument(3),
            (ANY_BIT, 0, 2, ANONYMOUS),
            (ANY_BIT, 0, 1, SHARED),  # memory that no limit counts
            *_verdict(ERROR | EPERM, ALLOW),
        ],
        "fcntl": _never(1, *OWNER_COMMANDS),
        "prctl": _never(0, DEATH_SIGNAL),
    }
    for name, number in numbers(LOOKED_AT, machine).items():
        steps += _when(EQUAL, number, rules[name])
    for number in numbers(DENIED, machine).values():
        steps += _when(EQUAL, number, [(RETURN, 0, 0, ERROR | EPERM)])
    return b"".join(struct.pack("=HBBI", *step) for step in [*steps, (RETURN, 0, 0, ALLOW)])


def _when(test: int, number: int, then: list[Step]) -> list[Step]:
    """Do something for one call, or for those above it; the steps must end in a verdict."""
    return [(test, 0, len(then), number), *then]


def _argument(index: int) -> Step:
    return (LOAD, 0, 0, ARGUMENT + 8 * index)  # the low half; both machines are little-endian


def _verdict(if_true: int, if_false: int) -> list[Step]:
    return [(RETURN, 0, 0, if_true), (RETURN, 0, 0, if_false)]


def _only(*values: int) -> list[Step]:
    """Allow a call whose first argument is one of the values: this process itself."""
    tests = [step for value in values for step in _when(EQUAL, value, [(RETURN, 0, 0, ALLOW)])]
    return [_argument(0), *tests, (RETURN, 0, 0, ERROR | EPERM)]


def _never(index: int, *values: int) -> list[Step]:
    """Allow a call unless an argument is one of the values."""
    tests = [step for value in values for step in _when(EQUAL, value, [(RETURN, 0, 0, ERROR | EPERM)])]
    return [_argument(index), *tests, (RETURN, 0, 0, ALLOW)]
