//! `FaultyMongo`: stands in front of a server that speaks MongoDB's protocol, understands what goes through, and does
//! to chosen commands what servers do when they fail.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not carried out; the answer is an error of this code and name.
    Refused(i32, &'static str),
    /// It is not carried out; the answer is that a document with this key is there already.
    DuplicateKey,
    /// It is not carried out, and the connection ends.
    Dropped,
    /// It is carried out, and the connection ends before the answer.
    AnswerLost,
    /// It is carried out, and the connection ends in the middle of the answer.
    AnswerTorn,
    /// It is carried out and never answered. Everything else goes on, heartbeats too.
    Stalled,
    /// It is carried out, and answered after this time.
    Slow(Duration),
}

/// The server; it ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct FaultyMongo {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By command: for how many of them, and what.
    faults: HashMap<String, (usize, Fault)>,
    seen: HashMap<String, usize>,
    /// As whose member it shows itself, if it does.
    member: Option<(ReplicaSet, usize)>,
}

/// Two [`FaultyMongo`] in front of one server, which show themselves as a replica set.
#[derive(Clone, Debug)]
pub struct ReplicaSet(Arc<Mutex<Members>>);

#[derive(Debug)]
struct Members {
    addresses: [SocketAddr; 2],
    primary: Option<usize>,
    election: ObjectId,
}

impl FaultyMongo {
    /// One in front of `target`, `host:port`.
    pub async fn start(target: &str) -> FaultyMongo {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mongo = FaultyMongo { address, state: Arc::default() };
        let (serving, target) = (mongo.clone(), target.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mongo, target) = (serving.clone(), target.clone());
                // A client that goes away is no failure of the test.
                tokio::spawn(async move { mongo.carry(client, &target).await.ok() });
            }
        });
        mongo
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The next `count` commands of this name meet this fault, instead of whatever was said before.
    pub fn next(&self, command: &str, count: usize, fault: Fault) {
        self.state().faults.insert(command.to_owned(), (count, fault));
    }

    /// From now on all goes well.
    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// How many commands of this name have come.
    pub fn seen(&self, command: &str) -> usize {
        self.state().seen.get(command).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(&self, mut client: TcpStream, target: &str) -> io::Result<()> {
        let mut server = TcpStream::connect(target).await?;
        loop {
            let request = Message::read(&mut client).await?;
            let command = request.command();
            let fault = self.fault(&command);
            match fault {
                Some(Fault::Dropped) => return Ok(()),
                Some(Fault::Refused(code, name)) => {
                    request.answer(&refusal(code, name)).write(&mut client).await?;
                    continue;
                }
                Some(Fault::DuplicateKey) => {
                    request.answer(&duplicate_key()).write(&mut client).await?;
                    continue;
                }
                _ => request.write(&mut server).await?,
            }
            let mut answer = Message::read(&mut server).await?;
            if matches!(command.as_str(), "hello" | "isMaster" | "ismaster") {
                answer = self.as_member(&request, answer);
            }
            match fault {
                Some(Fault::AnswerLost) => return Ok(()),
                Some(Fault::AnswerTorn) => return client.write_all(answer.half()).await,
                Some(Fault::Stalled) => std::future::pending().await,
                Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
                _ => {}
            }
            answer.write(&mut client).await?;
        }
    }

    /// What becomes of this command, which is counted.
    fn fault(&self, command: &str) -> Option<Fault> {
        let mut state = self.state();
        *state.seen.entry(command.to_owned()).or_default() += 1;
        if let Some((left @ 1.., fault)) = state.faults.get_mut(command) {
            *left -= 1;
            return Some(*fault);
        }
        let is_about_data = !matches!(command, "hello" | "isMaster" | "ismaster" | "ping" | "endSessions");
        let member = state.member.as_ref().filter(|_| is_about_data);
        member.filter(|(set, index)| set.primary() != Some(*index)).map(|_| NOT_PRIMARY)
    }

    /// What the server says of itself, as a member of the set would.
    fn as_member(&self, request: &Message, answer: Message) -> Message {
        let state = self.state();
        let Some((set, index)) = &state.member else { return answer };
        let members = set.members();
        let is_primary = members.primary == Some(*index);
        let mut hello = answer.document();
        for name in ["ismaster", "isWritablePrimary"] {
            hello.insert(name, is_primary);
        }
        let addresses: Vec<String> = members.addresses.iter().map(ToString::to_string).collect();
        hello.extend(doc! {
            "setName": "faulty", "secondary": !is_primary, "me": addresses[*index].as_str(), "hosts": addresses.clone(),
            "setVersion": 1,
        });
        if let Some(primary) = members.primary {
            hello.insert("primary", addresses[primary].as_str());
        }
        if is_primary {
            hello.insert("electionId", members.election);
        }
        // Sessions, and with them retries by the driver, are for servers that have them.
        hello.remove("logicalSessionTimeoutMinutes");
        request.answer(&hello)
    }
}

/// What a server says that was the primary a moment ago.
pub const NOT_PRIMARY: Fault = Fault::Refused(10107, "NotWritablePrimary");

impl ReplicaSet {
    /// Two members in front of `target`, the first of them the primary.
    pub async fn start(target: &str) -> (ReplicaSet, [FaultyMongo; 2]) {
        let members = [FaultyMongo::start(target).await, FaultyMongo::start(target).await];
        let addresses = [members[0].address, members[1].address];
        let set = ReplicaSet(Arc::new(Mutex::new(Members {
            addresses,
            primary: Some(0),
            election: ObjectId::new(),
        })));
        for (index, member) in members.iter().enumerate() {
            member.state().member = Some((set.clone(), index));
        }
        (set, members)
    }

    /// Both members, as a connection string names them.
    pub fn addresses(&self) -> String {
        self.members().addresses.map(|address| address.to_string()).join(",")
    }

    /// The primary steps down, and nobody is in its place.
    pub fn step_down(&self) {
        self.members().primary = None;
    }

    /// This member is elected.
    pub fn elect(&self, index: usize) {
        let mut members = self.members();
        (members.primary, members.election) = (Some(index), ObjectId::new());
    }

    fn primary(&self) -> Option<usize> {
        self.members().primary
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(code: i32, name: &str) -> Document {
    doc! { "ok": 0.0, "code": code, "codeName": name, "errmsg": "as asked" }
}

/// As insert and update say it.
fn duplicate_key() -> Document {
    let error = doc! {
        "index": 0, "code": 11000, "keyPattern": { "_id": 1 },
        "errmsg": "E11000 duplicate key error collection: as asked",
    };
    doc! { "ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [error] }
}

/// OP_MSG (MongoDB's manual, "MongoDB Wire Protocol"): a header of four numbers, flags, then sections, the first of
/// which is a document here.
struct Message(Vec<u8>);

const HEADER_BYTES: usize = 16;
const DOCUMENT_AT: usize = HEADER_BYTES + 4 + 1;
const OP_MSG: i32 = 2013;

impl Message {
    async fn read(stream: &mut TcpStream) -> io::Result<Message> {
        let length = stream.read_i32_le().await?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        stream.read_exact(&mut bytes[4..]).await?;
        assert_eq!(bytes[12..16], OP_MSG.to_le_bytes(), "the driver speaks OP_MSG alone");
        Ok(Message(bytes))
    }

    async fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.0).await
    }

    fn document(&self) -> Document {
        Document::from_reader(&self.0[DOCUMENT_AT..]).expect("a document")
    }

    /// The name of the command is that of its first member.
    fn command(&self) -> String {
        self.document().keys().next().cloned().unwrap_or_default()
    }

    /// An answer to this.
    fn answer(&self, document: &Document) -> Message {
        let document = document.to_vec().expect("bytes");
        let length = i32::try_from(DOCUMENT_AT + document.len()).expect("short");
        let mut bytes = Vec::new();
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&self.0[4..8]);
        bytes.extend(OP_MSG.to_le_bytes());
        bytes.extend([0; 5]);
        bytes.extend(document);
        Message(bytes)
    }

    fn half(&self) -> &[u8] {
        &self.0[..self.0.len() / 2]
    }
}
