//! Gzip over an answer while it is written. Each piece is flushed: its reader gets the first line when it is there.

use std::io::{self, Write as _};
use std::pin::Pin;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, Stream, StreamExt as _};

struct Compressing<S> {
    pieces: Pin<Box<S>>,
    /// `None` when the end is written, or the pieces broke off: then there is no trailer either.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

/// The pieces, compressed.
pub(super) fn compressed<E>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Send,
) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    E: std::error::Error + Send + Sync + 'static,
{
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    stream::unfold(Compressing { pieces: Box::pin(pieces), encoder }, |mut state| async move {
        let mut encoder = state.encoder.take()?;
        let piece = match state.pieces.next().await {
            None => encoder.finish(),
            Some(Err(error)) => Err(io::Error::other(error)),
            Some(Ok(piece)) => {
                let written = encoder.write_all(&piece).and_then(|()| encoder.flush());
                let taken = written.map(|()| std::mem::take(encoder.get_mut()));
                state.encoder = Some(encoder);
                taken
            }
        };
        Some((piece.map(Bytes::from), state))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use futures::TryStreamExt as _;

    use super::*;
    use crate::protocol::LineError;

    #[tokio::test]
    async fn pieces_come_out_one_by_one_and_whole() {
        let pieces = ["head\n".to_owned(), "file\n".repeat(10_000), "end\n".to_owned()];
        let given = stream::iter(pieces.clone().map(|piece| Ok::<_, LineError>(Bytes::from(piece))));
        let taken: Vec<Bytes> = compressed(given).try_collect().await.unwrap();
        assert_eq!(taken.len(), 4);
        let mut first = [0; 5];
        GzDecoder::new(&taken[0][..]).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"head\n");
        let mut whole = String::new();
        GzDecoder::new(&taken.concat()[..]).read_to_string(&mut whole).unwrap();
        assert_eq!(whole, pieces.concat());
        assert!(taken.concat().len() < 1000);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_has_no_end_in_gzip_either() {
        let given = stream::iter([Ok(Bytes::from("head\n")), Err(LineError::Deleted)]);
        let taken: Vec<io::Result<Bytes>> = compressed(given).collect().await;
        let [Ok(first), Err(_)] = taken.as_slice() else { panic!("{taken:?}") };
        let mut whole = String::new();
        assert!(GzDecoder::new(&first[..]).read_to_string(&mut whole).is_err());
    }
}
