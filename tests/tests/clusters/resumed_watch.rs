//! Tests that a watch of many objects resumes at another member when its own dies: each change arrives once.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;

use squall_api::core::v1::ConfigMap;
use squall_api::{Kind, Object};
use squall_client::{Api, Client, Event, Selection, Watch};
use squall_cluster::MemberName;
use squall_tests::Lab;

const OBJECTS: usize = 10_000;
const WRITERS: usize = 32;
/// The number of objects that each writer changes while the member dies.
const CHANGES: usize = 40;

fn numbered(number: usize, value: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = format!("map-{number}");
    object.data.insert("value".to_owned(), value.to_owned());
    object
}

async fn create_all(client: &Client) {
    let writers = (0..WRITERS).map(|writer| {
        let api: Api<ConfigMap> = Api::new(client.clone(), "default");
        tokio::spawn(async move {
            for number in (writer..OBJECTS).step_by(WRITERS) {
                api.create(numbered(number, "first")).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

fn revision_of(object: &Object) -> u64 {
    object.meta().resource_version.parse().unwrap()
}

/// The events that a watcher received after the initial state: the revisions of each object.
#[derive(Default)]
struct Told {
    changes: BTreeMap<String, Vec<u64>>,
    last: u64,
}

impl Told {
    fn of(&mut self, object: &Object) {
        let revision = revision_of(object);
        assert!(revision > self.last, "revision {revision} comes after {}", self.last);
        self.last = revision;
        self.changes.entry(object.meta().name.clone()).or_default().push(revision);
    }
}

/// Follows a watch until the object named "end" arrives.
async fn follow(mut watch: Watch, mut told: Told) -> Told {
    loop {
        match watch.next().await.unwrap() {
            Event::Applied(object, _) if object.meta().name == "end" => return told,
            Event::Applied(object, _) => told.of(&object),
            Event::Progress(_) => {}
            other => unreachable!("the watch begins anew or loses objects: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_when_its_member_dies() {
    let mut lab = Lab::of(3, 1, 0).await.unwrap();
    create_all(&lab.client).await;
    // The watching client starts with the member that will die; the others start elsewhere.
    let watcher = lab.client.beginning_with(1);
    let mut watch = Watch::new(watcher.clone(), Selection::all(Kind::ConfigMap));
    let (mut listed, mut told) = (0, Told::default());
    loop {
        match watch.next().await.unwrap() {
            Event::Applied(..) => listed += 1,
            Event::Complete(revision) => {
                told.last = revision;
                break;
            }
            _ => {}
        }
    }
    assert!(listed >= OBJECTS, "{listed}");
    let served_by = watcher.endpoints()[1].clone();
    let following = tokio::spawn(follow(watch, told));

    let writers = (0..WRITERS).map(|writer| {
        let api: Api<ConfigMap> = Api::new(lab.client.beginning_with(2), "default");
        tokio::spawn(async move {
            let mut written = Vec::new();
            for number in (writer..OBJECTS).step_by(WRITERS).take(CHANGES) {
                let object = api.update(numbered(number, "second")).await.unwrap();
                written.push((object.metadata.name.clone(), object.metadata.resource_version.parse::<u64>().unwrap()));
            }
            written
        })
    });
    let writers: Vec<_> = writers.collect();
    let member: MemberName = "apiserver-1".parse().unwrap();
    assert_eq!(lab.cluster.apiserver_url(1), served_by);
    lab.cluster.kill(member).unwrap();
    let mut written = BTreeMap::new();
    for writer in writers {
        written.extend(writer.await.unwrap().into_iter().map(|(name, revision)| (name, vec![revision])));
    }
    let mut end = numbered(0, "end");
    end.metadata.name = "end".to_owned();
    Api::<ConfigMap>::new(lab.client.beginning_with(2), "default").create(end).await.unwrap();

    let told = following.await.unwrap();
    assert_eq!(written.len(), WRITERS * CHANGES);
    assert_eq!(told.changes, written);
}
