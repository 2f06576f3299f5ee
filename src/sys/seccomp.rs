//! A short filter of system calls for programs in a cage (seccomp-bpf). Knows which calls are
//! refused, and nothing of who makes them.
//!
//! 1. Calls of another architecture or of x32 MUST be refused before any other check: their
//!    numbers mean other things.
//! 2. Arguments of which the kernel reads 32 bits MUST be compared by those 32 bits: with other
//!    high bits they mean the same.
//! 3. A refused call MUST fail with an error that programs know, and kill nothing.
//!
//! What is refused: typing into a terminal for somebody else (TIOCSTI, TIOCLINUX), which would let
//! a tool answer its own agent's question; the kernel's key rings, which no namespace divides;
//! io_uring, whose operations no filter sees.

use crate::base::error::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::libc::sock_filter;

/// What else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extra {
    /// Setting limits of other processes. Only needed where those can be seen.
    pub limits: bool,
    /// Sockets that get around a list of TCP ports.
    pub sockets: bool,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Where `struct seccomp_data` has what.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The low half of an argument: both architectures are little-endian.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Shared memory communications over TCP's ports (include/uapi/linux/in.h).
const IPPROTO_SMC: i32 = 256;

#[derive(Default)]
struct Filter(Vec<sock_filter>);

impl Filter {
    fn load(&mut self, at: u32) {
        self.0.push(sock_filter { code: LOAD, jt: 0, jf: 0, k: at });
    }

    /// Skips `over` instructions unless the value stands in this relation to `k`.
    fn unless(&mut self, relation: u16, k: u32, over: u8) {
        self.0.push(sock_filter { code: relation, jt: 0, jf: over, k });
    }

    /// Skips `over` instructions if it does.
    fn when(&mut self, relation: u16, k: u32, over: u8) {
        self.0.push(sock_filter { code: relation, jt: over, jf: 0, k });
    }

    fn refuse(&mut self, error: Errno) {
        let k = libc::SECCOMP_RET_ERRNO | error as u32;
        self.0.push(sock_filter { code: RETURN, jt: 0, jf: 0, k });
    }

    fn call(&mut self, number: libc::c_long, error: Errno) {
        self.unless(EQUAL, number as u32, 1);
        self.refuse(error);
    }

    /// `check` sees the argument of this call; the number is loaded again behind it.
    fn of(&mut self, number: libc::c_long, index: u32, check: impl FnOnce(&mut Filter)) {
        let mut inner = Filter::default();
        inner.load(argument(index));
        check(&mut inner);
        inner.load(NUMBER);
        self.unless(EQUAL, number as u32, inner.0.len() as u8);
        self.0.append(&mut inner.0);
    }
}

fn filter(extra: Extra) -> Vec<sock_filter> {
    let mut filter = Filter::default();
    filter.load(ARCH);
    filter.when(EQUAL, ARCHITECTURE, 1);
    filter.refuse(Errno::ENOSYS);
    filter.load(NUMBER);
    // x32 on x86-64; no number of another architecture is that high.
    filter.unless(AT_LEAST, 0x4000_0000, 1);
    filter.refuse(Errno::ENOSYS);
    for number in [
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
    ] {
        filter.call(number, Errno::ENOSYS);
    }
    filter.of(libc::SYS_ioctl, 1, |filter| {
        for request in [libc::TIOCSTI as u32, libc::TIOCLINUX as u32] {
            filter.unless(EQUAL, request, 1);
            filter.refuse(Errno::EPERM);
        }
    });
    if extra.limits {
        filter.of(libc::SYS_prlimit64, 0, |filter| {
            filter.when(EQUAL, 0, 1);
            filter.refuse(Errno::EPERM);
        });
    }
    if extra.sockets {
        sockets(&mut filter);
    }
    filter.0.push(sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW });
    filter.0
}

/// Leaves the kinds of sockets whose connections Landlock sees.
fn sockets(filter: &mut Filter) {
    filter.of(libc::SYS_socket, 0, |filter| {
        let known = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
        for (at, domain) in known.iter().enumerate() {
            filter.when(EQUAL, *domain as u32, (known.len() - at) as u8);
        }
        filter.refuse(Errno::EAFNOSUPPORT);
    });
    filter.of(libc::SYS_socket, 2, |filter| {
        for protocol in [libc::IPPROTO_MPTCP, libc::IPPROTO_SCTP, IPPROTO_SMC] {
            filter.unless(EQUAL, protocol as u32, 1);
            filter.refuse(Errno::EPROTONOSUPPORT);
        }
    });
    // Sends data with the first packet of a connection that connect(2) is not asked for.
    let fast = libc::MSG_FASTOPEN as u32;
    for (number, index) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)]
    {
        filter.of(number, index, |filter| {
            filter.unless(ANY_BIT, fast, 1);
            filter.refuse(Errno::EOPNOTSUPP);
        });
    }
}

/// Puts the filter on this process and all that come from it. It must have given new privileges up.
pub fn install(extra: Extra) -> Result<()> {
    let mut filter = filter(extra);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions outlive the call, which copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0 as libc::c_uint,
            &raw const program,
        )
    };
    Errno::result(result).map(drop).internal(|| "cannot filter system calls".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers to a call, as the kernel would run it.
    fn run(extra: Extra, arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend((number as u32).to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
        let (program, mut value, mut at) = (filter(extra), 0, 0);
        loop {
            let step = program[at];
            at += 1;
            let jump = |is: bool| usize::from(if is { step.jt } else { step.jf });
            match step.code {
                LOAD => {
                    let from = step.k as usize;
                    value = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                }
                EQUAL => at += jump(value == step.k),
                AT_LEAST => at += jump(value >= step.k),
                ANY_BIT => at += jump(value & step.k != 0),
                RETURN => return step.k,
                other => panic!("{other}"),
            }
        }
    }

    const HIGH: u64 = 0xDEAD_0000_0000_0000;

    fn answer(extra: Extra, number: i64, arguments: &[u64]) -> Option<Errno> {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        match run(extra, ARCHITECTURE, number, all) {
            libc::SECCOMP_RET_ALLOW => None,
            refused => Some(Errno::from_raw((refused & 0xFFFF) as i32)),
        }
    }

    #[test]
    fn nothing_types_into_a_terminal_for_somebody_else() {
        let none = Extra::default();
        let ioctl = |request: u64| answer(none, libc::SYS_ioctl, &[0, request]);
        for request in [libc::TIOCSTI, libc::TIOCLINUX] {
            assert_eq!(ioctl(request), Some(Errno::EPERM));
            assert_eq!(ioctl(request | HIGH), Some(Errno::EPERM), "the kernel reads 32 bits");
        }
        assert_eq!(ioctl(libc::TIOCGWINSZ), None);
        assert_eq!(answer(none, libc::SYS_write, &[0, libc::TIOCSTI]), None, "another call");
    }

    #[test]
    fn key_rings_io_uring_and_other_architectures_are_not_there() {
        let none = Extra::default();
        for number in [libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_io_uring_setup] {
            assert_eq!(answer(none, number, &[]), Some(Errno::ENOSYS));
        }
        let refused = libc::SECCOMP_RET_ERRNO | Errno::ENOSYS as u32;
        assert_eq!(run(none, 0x4000_0003, libc::SYS_write, [0; 6]), refused, "int 0x80");
        assert_eq!(run(none, ARCHITECTURE, libc::SYS_write | 0x4000_0000, [0; 6]), refused, "x32");
        assert_eq!(answer(none, libc::SYS_write, &[]), None);
    }

    #[test]
    fn limits_of_others_and_sockets_around_a_port_list_are_refused_where_asked() {
        let none = Extra::default();
        let all = Extra { limits: true, sockets: true };
        assert_eq!(answer(none, libc::SYS_prlimit64, &[7]), None);
        assert_eq!(answer(all, libc::SYS_prlimit64, &[7]), Some(Errno::EPERM));
        assert_eq!(answer(all, libc::SYS_prlimit64, &[HIGH]), None, "a pid has 32 bits: ourselves");
        let socket = |extra, domain: i32, protocol: i32| {
            answer(extra, libc::SYS_socket, &[domain as u64, 1, protocol as u64])
        };
        assert_eq!(socket(none, libc::AF_VSOCK, 0), None);
        assert_eq!(socket(all, libc::AF_VSOCK, 0), Some(Errno::EAFNOSUPPORT));
        for domain in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
            assert_eq!(socket(all, domain, 0), None);
            let mptcp = socket(all, domain, libc::IPPROTO_MPTCP);
            assert_eq!(mptcp, Some(Errno::EPROTONOSUPPORT));
        }
        let fast = libc::MSG_FASTOPEN as u64 | libc::MSG_NOSIGNAL as u64;
        assert_eq!(answer(all, libc::SYS_sendto, &[3, 0, 0, fast]), Some(Errno::EOPNOTSUPP));
        assert_eq!(answer(all, libc::SYS_sendmsg, &[3, 0, fast]), Some(Errno::EOPNOTSUPP));
        assert_eq!(answer(all, libc::SYS_sendmmsg, &[3, 0, 1, fast]), Some(Errno::EOPNOTSUPP));
        assert_eq!(answer(all, libc::SYS_sendto, &[3, 0, 0, 0x4000]), None);
    }
}
