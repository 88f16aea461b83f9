//! Bounds the time that the body of a request takes to arrive: a request whose body never comes would keep its seat.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Time limit for a whole body. Streams of members have none.
const LIMIT: Duration = Duration::from_secs(30);

/// The body of a request. It fails if it has not arrived in time.
pub struct Patient<B> {
    body: B,
    late: Option<Pin<Box<Sleep>>>,
}

impl<B: Body> Patient<B> {
    /// Gives a body 30 s from now.
    pub fn within_limit(body: B) -> Self {
        let late = (!body.is_end_stream()).then(|| Box::pin(sleep(LIMIT)));
        Self { body, late }
    }

    /// Gives a body all the time that it takes.
    pub fn for_ever(body: B) -> Self {
        Self { body, late: None }
    }
}

impl<B: Body + Unpin> Body for Patient<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(late) = &mut self.late else { return Poll::Pending };
        ready!(late.as_mut().poll(context));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the request body did not arrive in time");
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;
    use tokio_stream::StreamExt;

    fn one_frame_and_no_end() -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frame = tokio_stream::once(Ok(Frame::data(Bytes::from_static(b"a"))));
        StreamBody::new(frame.chain(tokio_stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_fails_in_time() {
        let mut body = Patient::within_limit(one_frame_and_no_end());
        assert!(body.frame().await.unwrap().is_ok());
        let began = tokio::time::Instant::now();
        assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "the request body did not arrive in time");
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_a_member_takes_its_time() {
        let mut body = Patient::for_ever(one_frame_and_no_end());
        assert!(body.frame().await.unwrap().is_ok());
        assert!(tokio::time::timeout(10 * LIMIT, body.frame()).await.is_err());
    }
}
