//! Linux: Landlock for files, TCP and signals; seccomp for sockets, programs and what reaches other processes.
//!
//! Each refuses with an error of its own (Landlock EACCES, seccomp EPERM), so that a test can tell who refused.

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::{Profile, Reach, Sockets};
use crate::Failure;

/// The Landlock that this was tried with; older kernels do less, which is told.
const TRIED: ABI = ABI::V7;
/// Descriptors that a child may have open.
const MOST_FILES: u64 = 1024;

pub(super) fn restrict(profile: &Profile) -> Result<Reach, Failure> {
    limit(profile)?;
    // A child does not outlive who would end it in time. Other threads of the parent do not count.
    let death = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    death.map_err(|err| failed("the end of the parent", &err))?;
    // One that ended before that was asked sends no signal.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(profile.parent) {
        return Err(failed("the parent", &"it has ended"));
    }
    let mut reached = Vec::new();
    // Where less must do, a layer that fails is one that does nothing.
    if profile.layers.landlock {
        let reach = landlock(profile).map_err(|err| failed("Landlock", &err));
        reached.push(if profile.required { reach? } else { reach.unwrap_or(Reach::Nothing) });
    }
    if profile.layers.seccomp {
        let reach = seccomp(profile).map_err(|err| failed("seccomp", &*err));
        reached.push(if profile.required { reach? } else { reach.unwrap_or(Reach::Nothing) });
    }
    let all = |one: Reach| reached.iter().all(|reach| *reach == one);
    Ok(if all(Reach::Whole) {
        Reach::Whole
    } else if all(Reach::Nothing) {
        Reach::Nothing
    } else {
        Reach::Partly
    })
}

fn failed(layer: &str, err: &dyn std::fmt::Display) -> Failure {
    Failure::new("sandbox", format!("{layer}: {err}")).hint("`driven doctor` says what this system can")
}

fn limit(profile: &Profile) -> Result<(), Failure> {
    let limits = profile.limits;
    let all = [
        (Resource::Cpu, limits.seconds),
        (Resource::As, limits.memory),
        (Resource::Fsize, limits.file),
        (Resource::Nofile, MOST_FILES),
        (Resource::Core, 0),
    ];
    for (resource, most) in all {
        // A limit that is lower already stays.
        let now = rustix::process::getrlimit(resource);
        let most = now.maximum.map_or(most, |maximum| maximum.min(most));
        let most = now.current.map_or(most, |current| current.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|err| failed("limits", &err))?;
    }
    Ok(())
}

fn landlock(profile: &Profile) -> Result<Reach, RulesetError> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    // No devices, pipes, sockets or links are made, and writing is not reading.
    let writes = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let runs = reads | AccessFs::Execute;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TRIED))?
        .scope(Scope::Signal)?;
    if profile.sockets != Sockets::All {
        ruleset = ruleset.handle_access(AccessNet::from_all(TRIED))?;
    }
    if profile.sockets == Sockets::None {
        ruleset = ruleset.scope(Scope::AbstractUnixSocket)?;
    }
    let everywhere = [Path::new("/")];
    let terminal = [Path::new("/dev/tty")];
    let status = ruleset
        .create()?
        .add_rules(path_beneath_rules(&profile.reads, reads))?
        .add_rules(path_beneath_rules(&profile.writes, writes))?
        .add_rules(path_beneath_rules(["/dev/null"], reads | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(
            terminal.iter().filter(|_| profile.terminal),
            reads | AccessFs::WriteFile | AccessFs::IoctlDev,
        ))?
        .add_rules(path_beneath_rules(everywhere.iter().filter(|_| profile.runs), runs))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Reach::Whole,
        RulesetStatus::PartiallyEnforced => Reach::Partly,
        RulesetStatus::NotEnforced => Reach::Nothing,
    })
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn seccomp(profile: &Profile) -> Result<Reach, Box<dyn std::error::Error>> {
    let Ok(arch) = std::env::consts::ARCH.try_into() else { return Ok(Reach::Nothing) };
    // clone3 hides its flags behind a pointer; told that there is none, libraries take clone.
    let absent: Rules = [(libc::SYS_clone3, Vec::new())].into();
    for (rules, errno) in [(refused(profile)?, libc::EPERM), (absent, libc::ENOSYS)] {
        let action = SeccompAction::Errno(errno.unsigned_abs());
        let filter = SeccompFilter::new(with_x32(rules), SeccompAction::Allow, action, arch)?;
        seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Ok(Reach::Whole)
}

/// The system calls that are refused, with the arguments for which they are.
fn refused(profile: &Profile) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REACH_OUT.iter().map(|&call| (call, Vec::new())).collect();
    // Text that is put into the terminal's input is run by the shell that reads it.
    let mut ioctl = vec![argument_is(1, TIOCSTI)?, argument_is(1, TIOCLINUX)?];
    // What a file is called by its owner and its times is written too, and Landlock does not see it.
    if !profile.writes.iter().any(|path| path == Path::new("/")) {
        rules.extend(METADATA.iter().map(|&call| (call, Vec::new())));
        for (kind, reading) in OF_FILES {
            ioctl.push(request_but(*kind, reading)?);
        }
    }
    rules.insert(libc::SYS_ioctl, ioctl);
    // Limits and places in the queue, of others.
    for call in OF_A_PROCESS {
        let of = |pid: u32| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, pid.into());
        rules.insert(*call, vec![SeccompRule::new(vec![of(0)?, of(std::process::id())?])?]);
    }
    let mut clone = vec![argument_has(0, libc::CLONE_NEWUSER.unsigned_abs().into())?];
    match profile.sockets {
        Sockets::None => rules.extend(SOCKETS.iter().map(|&call| (call, Vec::new()))),
        Sockets::Local => {
            let local = libc::AF_UNIX.unsigned_abs();
            let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, local.into())?;
            rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![other])?]);
        }
        Sockets::All => {}
    }
    if !profile.runs {
        rules.extend(RUNS.iter().map(|&call| (call, Vec::new())));
        // Threads are made by the same call as processes, with this flag.
        let thread = libc::CLONE_THREAD.unsigned_abs();
        let process =
            SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread.into()), 0)?;
        clone.push(SeccompRule::new(vec![process])?);
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            // It may end itself.
            let own = std::process::id();
            let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own.into())?;
            rules.insert(call, vec![SeccompRule::new(vec![other])?]);
        }
    }
    rules.insert(libc::SYS_clone, clone);
    Ok(rules)
}

fn argument_is(index: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let is = SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![is])
}

/// Requests of a kind, which is the second byte of their number, but these.
fn request_but(kind: u8, fine: &[u64]) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = |op, value| SeccompCondition::new(1, SeccompCmpArgLen::Dword, op, value);
    let of_kind = condition(SeccompCmpOp::MaskedEq(0xFF00), u64::from(kind) << 8);
    let others = fine.iter().map(|&request| condition(SeccompCmpOp::Ne, request));
    SeccompRule::new(std::iter::once(of_kind).chain(others).collect::<Result<_, _>>()?)
}

fn argument_has(index: u8, bits: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let has = SeccompCondition::new(index, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), bits)?;
    SeccompRule::new(vec![has])
}

/// The same calls under the numbers that they have in programs of the x32 kind, which a filter of calls would miss:
/// their own, and those that old kernels take for them.
#[cfg(target_arch = "x86_64")]
fn with_x32(rules: Rules) -> Rules {
    const X32: i64 = 0x4000_0000;
    // Calls that have another number there: execve, ptrace, execveat, process_vm_readv and -writev, ioctl.
    let other = [
        (libc::SYS_execve, 520),
        (libc::SYS_ptrace, 521),
        (libc::SYS_execveat, 545),
        (libc::SYS_process_vm_readv, 539),
        (libc::SYS_process_vm_writev, 540),
        (libc::SYS_ioctl, 514),
        (libc::SYS_sendmsg, 518),
        (libc::SYS_sendmmsg, 538),
        (libc::SYS_rt_sigqueueinfo, 524),
        (libc::SYS_rt_tgsigqueueinfo, 536),
        (libc::SYS_kexec_load, 528),
        (libc::SYS_move_pages, 533),
    ];
    let mut all = rules.clone();
    for (call, conditions) in rules {
        all.insert(X32 | call, conditions.clone());
        if let Some((_, number)) = other.iter().find(|(own, _)| *own == call) {
            all.insert(X32 | number, conditions.clone());
            all.insert(*number, conditions);
        }
    }
    all
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

/// What reaches other processes, the kernel, or around the other layers; no child needs it.
const REACH_OUT: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_chroot,
    libc::SYS_open_by_handle_at,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    // kexec_file_load
    if cfg!(target_arch = "x86_64") { 320 } else { 294 },
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_vhangup,
    // open_tree_attr: the same number everywhere.
    467,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Memory and queues that outlive the child, and other processes' places.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_process_mrelease,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
];

/// Whose first argument is a process.
const OF_A_PROCESS: &[i64] = &[
    libc::SYS_prlimit64,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
];

/// Modes, owners, times and attributes of files.
const METADATA: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // fchmodat2, setxattrat, removexattrat, file_setattr: the same numbers everywhere.
    452,
    463,
    466,
    469,
];

/// Requests by which text is put into the terminal's input, for programs of any C library.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;

/// Kinds of requests by which flags, versions, keys and volumes of files are set through a descriptor that may only read
/// them, and those of each kind that do no more than read, or write to where the descriptor may.
const OF_FILES: &[(u8, &[u64])] = &[
    // FS_IOC_GETFLAGS for programs of 64 and of 32 bits, FS_IOC_FIEMAP, FS_IOC_MEASURE_VERITY.
    (b'f', &[0x8008_6601, 0x8004_6601, 0xC020_660B, 0xC004_6686]),
    // FS_IOC_GETVERSION for both.
    (b'v', &[0x8008_7601, 0x8004_7601]),
    // FS_IOC_FSGETXATTR.
    (b'X', &[0x801C_581F]),
    // FAT_IOCTL_GET_ATTRIBUTES; and all of f2fs.
    (b'r', &[0x8004_7210]),
    (0xF5, &[]),
    // Of btrfs, and FICLONE and FICLONERANGE.
    (0x94, &[0x4004_9409, 0x4020_940D]),
];

const SOCKETS: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
];

#[cfg(target_arch = "x86_64")]
const RUNS: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

#[cfg(not(target_arch = "x86_64"))]
const RUNS: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];
