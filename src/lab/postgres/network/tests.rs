//! Relays with plain sockets at both ends.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Network, Place, Policy, Relay, Scope, Target};

const SOON: Duration = Duration::from_secs(10);

/// A server that says its name first and then repeats what it hears.
async fn echo(name: &'static str) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(name.as_bytes()).await?;
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Target { place: Place::new(name, &format!("zone-{name}")), address }
}

/// A connection and the name of who answered.
async fn connect(address: SocketAddr) -> io::Result<(TcpStream, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let mut name = [0; 1];
    stream.read_exact(&mut name).await?;
    Ok((stream, String::from_utf8_lossy(&name).into_owned()))
}

async fn ends(stream: &mut TcpStream) -> io::Result<usize> {
    timeout(SOON, stream.read(&mut [0; 1])).await.expect("an end in time")
}

async fn relay(network: &Network) -> Relay {
    network.relay("test", Place::outside("clients")).await.unwrap()
}

#[tokio::test]
async fn a_relay_leads_nowhere_then_somewhere_then_elsewhere() {
    let relay = relay(&Network::default()).await;
    assert!(connect(relay.address()).await.is_err());
    let (a, b) = (echo("a").await, echo("b").await);
    relay.lead_to(vec![a.clone(), b.clone()]);
    let (mut first, one) = connect(relay.address()).await.unwrap();
    let (mut second, two) = connect(relay.address()).await.unwrap();
    assert_ne!(one, two, "in turn");
    let to_a = if one == "a" { &mut first } else { &mut second };
    relay.lead_to(vec![b]);
    let reset = ends(to_a).await.unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    let to_b = if one == "a" { &mut second } else { &mut first };
    to_b.write_all(b"x").await.unwrap();
    assert_eq!(ends(to_b).await.unwrap(), 1, "the connection to b lives on");
    assert_eq!(connect(relay.address()).await.unwrap().1, "b");
}

#[tokio::test]
async fn a_cut_resets_and_refuses_and_a_relay_that_goes_takes_its_connections() {
    let network = Network::default();
    let relay = relay(&network).await;
    relay.lead_to(vec![echo("a").await]);
    let (mut stream, _) = connect(relay.address()).await.unwrap();
    network.set(Scope::Zone("zone-a".into()), Policy::Cut);
    assert!(ends(&mut stream).await.is_err());
    assert!(connect(relay.address()).await.is_err());
    network.clear();
    let (mut stream, _) = connect(relay.address()).await.unwrap();
    let address = relay.address();
    drop(relay);
    assert!(!matches!(ends(&mut stream).await, Ok(n) if n > 0));
    timeout(SOON, async { while TcpStream::connect(address).await.is_ok() {} }).await.expect("the port is closed");
}

#[tokio::test]
async fn a_black_hole_swallows_nothing_for_good() {
    const BYTES: usize = 8 << 20;
    let network = Network::default();
    let relay = relay(&network).await;
    relay.lead_to(vec![echo("a").await]);
    let (stream, _) = connect(relay.address()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let sent: Vec<u8> = (0..BYTES).map(|n| (n * 31 % 251) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let weather = network.clone();
    let storm = tokio::spawn(async move {
        for policy in [Policy::Blackhole, Policy::Pass].into_iter().cycle() {
            weather.set(Scope::Place("a".into()), policy);
            tokio::time::sleep(Duration::from_micros(700)).await;
        }
    });
    let mut heard = Vec::new();
    timeout(SOON, from.read_to_end(&mut heard)).await.expect("all of it in time").unwrap();
    storm.abort();
    writer.await.unwrap();
    assert!(heard == expected, "{} of {BYTES} bytes, or in another order", heard.len());
}

#[tokio::test]
async fn in_a_black_hole_connections_open_and_hang() {
    let network = Network::default();
    let relay = relay(&network).await;
    relay.lead_to(vec![echo("a").await]);
    network.set(Scope::Link("clients".into(), "a".into()), Policy::Blackhole);
    let attempt = tokio::spawn(connect(relay.address()));
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), stream.readable()).await.is_err(), "something came");
    network.clear();
    assert_eq!(timeout(SOON, attempt).await.unwrap().unwrap().unwrap().1, "a");
}

#[tokio::test]
async fn a_slow_link_is_as_slow_as_it_was_told() {
    let network = Network::default();
    let relay = relay(&network).await;
    relay.lead_to(vec![echo("a").await]);
    let (mut stream, _) = connect(relay.address()).await.unwrap();
    network.set(Scope::Place("a".into()), Policy::Slow { delay: Duration::from_millis(40), bytes_per_second: 0 });
    let began = std::time::Instant::now();
    stream.write_all(b"x").await.unwrap();
    assert_eq!(ends(&mut stream).await.unwrap(), 1);
    assert!(began.elapsed() >= Duration::from_millis(80), "both ways: {:?}", began.elapsed());

    network.set(Scope::Place("a".into()), Policy::Slow { delay: Duration::ZERO, bytes_per_second: 1 << 20 });
    let began = std::time::Instant::now();
    let text = vec![7; 200 << 10];
    let (mut from, mut to) = stream.split();
    let mut heard = vec![0; text.len()];
    let (written, read) = tokio::join!(to.write_all(&text), from.read_exact(&mut heard));
    assert!(written.is_ok() && read.is_ok() && heard == text);
    assert!(began.elapsed() >= Duration::from_millis(190), "200 KiB at 1 MiB/s: {:?}", began.elapsed());
}
