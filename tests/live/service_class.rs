//! The class of service of what leaves (RFC 2474), read from received packets.
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use socket2::SockRef;

use crate::bare_call::BareCall;
use crate::house::{House, SOON};

/// A socket that is told the class of what it receives.
fn telling(at: &str) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(at.parse().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let options = SockRef::from(&socket);
    if socket.local_addr().unwrap().is_ipv4() {
        options.set_recv_tos_v4(true).unwrap();
    } else {
        options.set_recv_tclass_v6(true).unwrap();
    }
    socket
}

/// The code point of the next packet.
fn class_of(socket: &UdpSocket) -> u8 {
    let mut bytes = [0; 2_048];
    let mut into = [IoSliceMut::new(&mut bytes)];
    let mut room = nix::cmsg_space!(i32, i32);
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut into, Some(&mut room), MsgFlags::empty())
        .unwrap();
    let class = got.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::Ipv4Tos(byte) => Some(byte),
        ControlMessageOwned::Ipv6TClass(byte) => u8::try_from(byte).ok(),
        _ => None,
    });
    class.expect("the kernel tells the class") >> 2
}

/// The classes of an answer of SIP and of a packet of sound.
fn classes(listen: &str, host: &str, more: &str) -> (u8, u8) {
    let house = House::open_on(listen, more);
    let asking = telling(host);
    let here = asking.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-class\r\nMax-Forwards: 70\r\n\
         From: <sip:a@{here}>;tag=1\r\nTo: <sip:{0}>\r\nCall-ID: class-{here}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        house.sip
    );
    asking.send_to(options.as_bytes(), house.sip).unwrap();
    let signalling = class_of(&asking);
    let ear = telling(host);
    let call = BareCall::place(&house, ear.local_addr().unwrap()).unwrap();
    call.acknowledge();
    (signalling, class_of(&ear))
}

#[test]
fn sound_is_expedited_and_signalling_is_cs3_in_both_families() {
    assert_eq!(classes("\"127.0.0.1:0\"", "127.0.0.1", ""), (24, 46));
    assert_eq!(classes("\"[::1]:0\"", "::1", ""), (24, 46));
}

#[test]
fn on_a_line_of_both_families_peers_of_both_see_the_class() {
    let both = "\"127.0.0.1:0\", \"[::1]:0\"";
    assert_eq!(classes(&format!("[{both}]"), "127.0.0.1", ""), (24, 46));
}

#[test]
fn the_classes_are_settings() {
    let more = "dscp = 40\n[rtp]\ndscp = 34";
    assert_eq!(classes("\"127.0.0.1:0\"", "127.0.0.1", more), (40, 34));
}
