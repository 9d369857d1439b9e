//! Chats over TCP: each line of its input is a message, and each received message is a line of its output.

use std::{env, error::Error, process};

use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Serialize)]
struct Said {
    text: String,
}

#[derive(Deserialize)]
struct Heard {
    from: String,
    text: String,
}

// #region framing
/// Four bytes of length, big-endian. That is tokio-util's default, which accepts messages twice as large.
fn framing() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(4 * 1024 * 1024)
        .new_codec()
}
// #endregion

async fn say(socket: OwnedWriteHalf, msgpack: bool) -> Result<()> {
    let mut frames = FramedWrite::new(socket, framing());
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(text) = lines.next_line().await? {
        let said = Said { text };
        let payload = if msgpack {
            rmp_serde::to_vec_named(&said)?
        } else {
            serde_json::to_vec(&said)?
        };
        frames.send(Bytes::from(payload)).await?;
    }
    // Ends this half: this side sends nothing more, but the other side may.
    Ok(frames.into_inner().shutdown().await?)
}

async fn hear(socket: OwnedReadHalf, msgpack: bool) -> Result<()> {
    let mut frames = FramedRead::new(socket, framing());
    while let Some(frame) = frames.next().await {
        let payload = frame?;
        let heard: Heard = if msgpack {
            rmp_serde::from_slice(&payload)?
        } else {
            serde_json::from_slice(&payload)?
        };
        println!("{}: {}", heard.from, heard.text);
    }
    Ok(())
}

async fn chat(address: &str, format: &str) -> Result<()> {
    let (read, write) = TcpStream::connect(address).await?.into_split();
    let msgpack = format == "msgpack";
    tokio::try_join!(say(write, msgpack), hear(read, msgpack))?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = env::args().skip(1);
    let (Some(address), Some(format)) = (args.next(), args.next()) else {
        eprintln!("usage: peer 127.0.0.1:9000 json|msgpack");
        process::exit(2);
    };
    if let Err(error) = chat(&address, &format).await {
        eprintln!("aborted: {error}");
        process::exit(1); // at once, although a task may still wait for a line
    }
}
