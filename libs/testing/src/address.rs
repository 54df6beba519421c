//! Addresses of the tests' own, which several tests and programs pick side by side.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use socket2::{Domain, Socket, Type};

/// What keeps the ports of free addresses for as long as the process runs.
static HOLDERS: Mutex<Vec<Socket>> = Mutex::new(Vec::new());

/// An address of this process's own where nobody listens. A socket that never listens is bound to it until the process
/// ends: Linux gives its port to no bind to port 0 and to no connect, and refuses who connects to it. A listener with
/// `SO_REUSEADDR`, which std, tokio, Go and Java set, still binds it, one at a time.
pub fn free_address() -> SocketAddr {
    let holder = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Both sockets at an address have to allow for the other, and what is set after a bind comes too late.
    holder.set_reuse_address(true).unwrap();
    holder.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = holder.local_addr().unwrap().as_socket().unwrap();
    HOLDERS.lock().unwrap().push(holder);
    address
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_free_address_refuses_until_somebody_listens_and_again_after_that() {
        let address = free_address();
        for _ in 0..2 {
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).unwrap();
            drop(listener);
        }
    }

    #[test]
    fn no_address_is_given_twice() {
        // Of so many that nobody holds, two are almost surely the same.
        const MANY: usize = 300;
        let addresses: BTreeSet<_> = std::iter::repeat_with(free_address).take(MANY).collect();
        assert_eq!(addresses.len(), MANY);
    }
}
