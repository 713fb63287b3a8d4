//! A port at which something of the lab answers until it is told to stop, and then again at the same address.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Serves one connection. What belongs to this run of the door, as watches and tunnels do, ends with the token.
type Receive = dyn Fn(TcpStream, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync;

/// An address that is taken and not served yet: whoever serves may have to know it.
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Bound {
    /// Takes an address. Port 0 takes a free one.
    ///
    /// # Errors
    /// When it can't be had.
    pub fn at(listen: SocketAddr) -> io::Result<Bound> {
        let listener = bind(listen)?;
        let addr = listener.local_addr()?;
        Ok(Bound { listener, addr })
    }

    /// The address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves it. Must be called within a tokio runtime.
    pub fn open<F>(self, receive: impl Fn(TcpStream, CancellationToken) -> F + Send + Sync + 'static) -> Door
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let receive: Arc<Receive> = Arc::new(move |stream, stop| receive(stream, stop).boxed());
        let running = Running::begin(self.listener, Arc::clone(&receive));
        Door { addr: self.addr, receive, running: Mutex::new(Some(running)) }
    }
}

/// A door that was opened: its address stays, closed or not. Dropping it closes it.
pub struct Door {
    addr: SocketAddr,
    receive: Arc<Receive>,
    running: Mutex<Option<Running>>,
}

impl Door {
    /// The address it answers at (or did, while it is closed).
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether it answers.
    pub async fn is_open(&self) -> bool {
        self.running.lock().await.is_some()
    }

    /// Answers no more: connections are cut, new ones refused.
    pub async fn close(&self) {
        let Some(mut running) = self.running.lock().await.take() else { return };
        running.stop.cancel();
        // The listener must be closed when this returns; an aborted task's join error says nothing more.
        running.accepting.abort();
        let _ = (&mut running.accepting).await;
    }

    /// Answers again, at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn reopen(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(Running::begin(bind(self.addr)?, Arc::clone(&self.receive)));
        }
        Ok(())
    }
}

/// One run.
struct Running {
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Running {
    fn begin(listener: TcpListener, receive: Arc<Receive>) -> Running {
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, receive, stop.clone()));
        Running { stop, accepting }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.accepting.abort();
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of the run before may still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, receive: Arc<Receive>, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (served, stop) = (receive(stream, stop.clone()), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = served => {}
                    }
                });
            }
            // Out of file descriptors, most likely: wait for some to come free.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
