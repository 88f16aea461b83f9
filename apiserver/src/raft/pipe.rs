//! A reusable stream of appends to a member: openraft asks for a stream for each heartbeat, and opening one costs more
//! than the heartbeat itself.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use squall_api::timing::later;
use squall_proto::squall::raft::v1 as proto;
use squall_proto::squall::raft::v1::raft_client::RaftClient;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::network::{RpcError, from_status, network, unreachable};
use super::types::TypeConfig;
use super::wire;

/// Maximum number of unanswered requests. The queue has the same length, so that sending never waits.
const MAX_UNANSWERED: usize = 64;
/// Length of the entries in unanswered requests at which no further one is sent.
const MAX_UNANSWERED_BYTES: usize = 8 << 20;

type Request = AppendEntriesRequest<TypeConfig>;
type Reply = Result<StreamAppendResult<TypeConfig>, RpcError>;

/// An open stream. Replies arrive in the order of the requests.
pub struct Pipe {
    requests: mpsc::Sender<proto::AppendRequest>,
    replies: Streaming<proto::AppendReply>,
}

impl Pipe {
    /// Opens a stream.
    pub async fn open(mut client: RaftClient<Channel>) -> Result<Self, Status> {
        let (requests, receiver) = mpsc::channel(MAX_UNANSWERED);
        let replies = client.append(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { requests, replies })
    }

    /// Whether the other end still accepts requests, as far as is known.
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

/// The requests of one call of openraft, and their replies. When all replies have arrived, the pipe returns to where
/// the next call finds it. If the call is dropped, so is the pipe, because replies would still be in flight.
pub struct Exchange<'a, S> {
    back: &'a mut Option<Pipe>,
    pipe: Pipe,
    input: Option<S>,
    /// Length of the entries in each unanswered request.
    unanswered: VecDeque<usize>,
    /// Timeout of a request, so that a frozen member does not block its leader.
    limit: Duration,
    deadline: Instant,
}

/// The next event of an exchange.
enum Next {
    Request(Option<Request>),
    Reply(Result<Option<proto::AppendReply>, Status>),
    TooLate,
}

impl<'a, S: Stream<Item = Request> + Unpin> Exchange<'a, S> {
    /// Creates an exchange over an open pipe.
    pub fn new(back: &'a mut Option<Pipe>, pipe: Pipe, input: S, limit: Duration) -> Self {
        Self {
            back,
            pipe,
            input: Some(input),
            unanswered: VecDeque::new(),
            limit,
            deadline: later(Instant::now(), limit),
        }
    }

    /// Returns the replies as a stream, which ends after the first error.
    pub fn replies(self) -> impl Stream<Item = Reply> {
        stream::unfold(Some(self), async |exchange| exchange?.reply().await)
    }

    async fn reply(mut self) -> Option<(Reply, Option<Self>)> {
        while self.input.is_some() || !self.unanswered.is_empty() {
            match self.next().await {
                Next::Request(None) => self.input = None,
                Next::Request(Some(request)) => {
                    if let Err(error) = self.send(&request) {
                        return Some((Err(error), None));
                    }
                }
                Next::Reply(Ok(Some(reply))) => {
                    self.unanswered.pop_front();
                    self.deadline = later(Instant::now(), self.limit);
                    return Some((wire::append_reply_from(reply).map_err(network), Some(self)));
                }
                // The member ends its stream after a refusal.
                Next::Reply(Ok(None)) => return None,
                Next::Reply(Err(status)) => return Some((Err(from_status(status)), None)),
                Next::TooLate => return Some((Err(unreachable("no answer in time")), None)),
            }
        }
        *self.back = Some(self.pipe);
        None
    }

    async fn next(&mut self) -> Next {
        let bytes: usize = self.unanswered.iter().sum();
        let room = self.unanswered.len() < MAX_UNANSWERED && bytes < MAX_UNANSWERED_BYTES;
        let request = async {
            match &mut self.input {
                Some(input) if room => input.next().await,
                _ => std::future::pending().await,
            }
        };
        let waiting = !self.unanswered.is_empty();
        let mut late = pin!(tokio::time::sleep_until(self.deadline));
        tokio::select! {
            reply = self.pipe.replies.message() => Next::Reply(reply),
            request = request => Next::Request(request),
            () = &mut late, if waiting => Next::TooLate,
        }
    }

    fn send(&mut self, request: &Request) -> Result<(), RpcError> {
        let request = wire::append_to(request).map_err(network)?;
        if self.unanswered.is_empty() {
            self.deadline = later(Instant::now(), self.limit);
        }
        self.unanswered.push_back(request.entries.iter().map(|entry| entry.payload.len()).sum());
        self.pipe.requests.try_send(request).map_err(|_| unreachable("the stream of appends has ended"))
    }
}
