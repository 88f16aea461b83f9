//! The published behavior of structured merge, for each way in which a field is owned: each shape goes through each story.

use serde_json::{Value, json};
use squall_proto::meta::v1::Time;

use super::{Conflict, Manager, OnConflict, applied, updated};
use crate::kinds::{Kind, Object};

/// A field, two values of it, and where it is.
struct Shape {
    name: &'static str,
    kind: Kind,
    /// Configurations that differ in the value of the field only.
    one: Value,
    other: Value,
    /// The field in an object.
    pointer: &'static str,
    /// The field as a conflict shows it.
    path: &'static str,
}

fn in_container(field: &Value) -> Value {
    let mut container = json!({"name": "c"});
    container.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

fn shape(name: &'static str, places: [&'static str; 2], values: [Value; 2]) -> Shape {
    let [pointer, path] = places;
    let [one, other] = values;
    Shape { name, kind: Kind::Deployment, one, other, pointer, path }
}

fn container_shape(name: &'static str, places: [&'static str; 2], values: [Value; 2]) -> Shape {
    shape(name, places, values.map(|field| in_container(&field)))
}

/// The ways in which a field is owned: leaf, key of a map, field of an element, atomic map, struct and list.
fn shapes() -> Vec<Shape> {
    [granular(), atomic(), in_elements(), of_other_kinds()].into_iter().flatten().collect()
}

/// Fields that are owned one by one.
fn granular() -> Vec<Shape> {
    vec![
        shape(
            "a number",
            ["/spec/replicas", ".spec.replicas"],
            [json!({"spec": {"replicas": 3}}), json!({"spec": {"replicas": 5}})],
        ),
        shape(
            "a label",
            ["/metadata/labels/a", ".metadata.labels.a"],
            [json!({"metadata": {"labels": {"a": "1"}}}), json!({"metadata": {"labels": {"a": "2"}}})],
        ),
        shape(
            "an annotation",
            ["/metadata/annotations/a", ".metadata.annotations.a"],
            [json!({"metadata": {"annotations": {"a": "1"}}}), json!({"metadata": {"annotations": {"a": "2"}}})],
        ),
        shape(
            "a field of a struct",
            ["/spec/strategy/type", ".spec.strategy.type"],
            [
                json!({"spec": {"strategy": {"type": "Recreate"}}}),
                json!({"spec": {"strategy": {"type": "RollingUpdate"}}}),
            ],
        ),
        shape(
            "a number or a text",
            ["/spec/strategy/rollingUpdate/maxSurge", ".spec.strategy.rollingUpdate.maxSurge"],
            [
                json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}),
                json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "25%"}}}}),
            ],
        ),
    ]
}

/// Fields that are owned as a whole.
fn atomic() -> Vec<Shape> {
    vec![
        shape(
            "an atomic map",
            ["/spec/template/spec/nodeSelector", ".spec.template.spec.nodeSelector"],
            [
                json!({"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}),
                json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}}),
            ],
        ),
        shape(
            "an atomic struct",
            ["/spec/selector", ".spec.selector"],
            [
                json!({"spec": {"selector": {"matchLabels": {"app": "a"}}}}),
                json!({"spec": {"selector": {"matchLabels": {"app": "b"}}}}),
            ],
        ),
        shape(
            "an atomic list of structs",
            ["/spec/template/spec/tolerations", ".spec.template.spec.tolerations"],
            [
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}}}),
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}}),
            ],
        ),
        container_shape(
            "an atomic list",
            ["/spec/template/spec/containers/0/command", ".spec.template.spec.containers[name=\"c\"].command"],
            [json!({"command": ["a", "b"]}), json!({"command": ["b", "a"]})],
        ),
    ]
}

/// Fields in the elements of a list that are identified by keys.
fn in_elements() -> Vec<Shape> {
    vec![
        container_shape(
            "a field of an element",
            ["/spec/template/spec/containers/0/image", ".spec.template.spec.containers[name=\"c\"].image"],
            [json!({"image": "i:1"}), json!({"image": "i:2"})],
        ),
        container_shape(
            "a field of an element with two keys",
            [
                "/spec/template/spec/containers/0/ports/0/name",
                ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].name",
            ],
            [
                json!({"ports": [{"containerPort": 80, "name": "x"}]}),
                json!({"ports": [{"containerPort": 80, "name": "y"}]}),
            ],
        ),
        container_shape(
            "a field of an element of an element",
            [
                "/spec/template/spec/containers/0/env/0/value",
                ".spec.template.spec.containers[name=\"c\"].env[name=\"A\"].value",
            ],
            [json!({"env": [{"name": "A", "value": "1"}]}), json!({"env": [{"name": "A", "value": "2"}]})],
        ),
        container_shape(
            "a quantity of a map",
            [
                "/spec/template/spec/containers/0/resources/limits/cpu",
                ".spec.template.spec.containers[name=\"c\"].resources.limits.cpu",
            ],
            [json!({"resources": {"limits": {"cpu": "1"}}}), json!({"resources": {"limits": {"cpu": "2"}}})],
        ),
    ]
}

fn of_other_kinds() -> Vec<Shape> {
    vec![
        Shape {
            kind: Kind::ConfigMap,
            ..shape("a key of data", ["/data/k", ".data.k"], [json!({"data": {"k": "1"}}), json!({"data": {"k": "2"}})])
        },
        Shape {
            kind: Kind::Service,
            ..shape(
                "a field of a service's port",
                ["/spec/ports/0/name", ".spec.ports[port=80,protocol=\"TCP\"].name"],
                [
                    json!({"spec": {"ports": [{"port": 80, "name": "x"}]}}),
                    json!({"spec": {"ports": [{"port": 80, "name": "y"}]}}),
                ],
            )
        },
    ]
}

/// An object on its way through a story.
#[derive(Clone)]
struct Play<'a> {
    shape: &'a Shape,
    live: Object,
}

fn manager(name: &str) -> Manager<'_> {
    Manager { name, subresource: "", now: Time { seconds: 0, nanos: 0 } }
}

impl<'a> Play<'a> {
    fn of(shape: &'a Shape) -> Self {
        let live = Object::from_json(shape.kind, json!({"metadata": {"name": "x"}})).unwrap();
        Self { shape, live }
    }

    fn tried(&self, name: &str, config: &Value, on_conflict: OnConflict) -> Result<Self, Vec<Conflict>> {
        let json = applied(&self.live, config, &manager(name), on_conflict)?;
        Ok(Self { live: Object::from_json(self.shape.kind, json).unwrap(), ..self.clone() })
    }

    fn apply(&self, name: &str, config: &Value) -> Self {
        self.tried(name, config, OnConflict::Refuse).unwrap_or_else(|conflicts| {
            panic!("{}: {name} meets {conflicts:?}", self.shape.name);
        })
    }

    fn force(&self, name: &str, config: &Value) -> Self {
        self.tried(name, config, OnConflict::TakeOver).unwrap()
    }

    /// The paths at which an apply meets other managers.
    fn conflicts(&self, name: &str, config: &Value) -> Vec<(String, String)> {
        let conflicts = self.tried(name, config, OnConflict::Refuse).err().unwrap_or_default();
        conflicts.into_iter().map(|conflict| (conflict.manager, conflict.path)).collect()
    }

    /// A write that is no apply: `change` gets the JSON of the object.
    fn update(&self, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let mut json = self.live.to_json();
        change(&mut json);
        let mut new = Object::from_json(self.shape.kind, json).unwrap();
        updated(Some(&self.live), &mut new, &manager(name));
        Self { live: new, ..self.clone() }
    }

    fn value(&self) -> Option<Value> {
        let found = self.live.to_json().pointer(self.shape.pointer).cloned();
        let is_empty = |value: &Value| [Value::Null, json!([]), json!({})].contains(value);
        found.filter(|value| !is_empty(value))
    }

    fn owners(&self) -> Vec<&str> {
        self.live.meta().managed_fields.iter().map(|entry| entry.manager.as_str()).collect()
    }
}

impl Shape {
    fn at(&self, config: &Value) -> Option<Value> {
        config.pointer(self.pointer).cloned()
    }

    /// Sets the field as the other configuration has it.
    fn set_other(&self, json: &mut Value) {
        *json.pointer_mut(self.pointer).unwrap() = self.at(&self.other).unwrap();
    }

    fn remove(&self, json: &mut Value) {
        let (parent, field) = self.pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
    }
}

type Story = (&'static str, fn(&Shape));

const STORIES: [Story; 14] = [
    ("what is applied is there, and owned", |shape| {
        let play = Play::of(shape).apply("one", &shape.one);
        assert_eq!((play.value(), play.owners()), (shape.at(&shape.one), vec!["one"]));
    }),
    ("the same again changes nothing", |shape| {
        let play = Play::of(shape).apply("one", &shape.one);
        assert_eq!(play.apply("one", &shape.one).live, play.live);
    }),
    ("its owner changes it freely", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).apply("one", &shape.other);
        assert_eq!((play.value(), play.owners()), (shape.at(&shape.other), vec!["one"]));
    }),
    ("what its only owner gives up goes", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).apply("one", &json!({}));
        assert_eq!((play.value(), play.owners()), (None, vec![]));
    }),
    ("the same value is shared without a conflict", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).apply("two", &shape.one);
        assert_eq!((play.value(), play.owners()), (shape.at(&shape.one), vec!["one", "two"]));
    }),
    ("what is shared stays when one owner gives it up", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).apply("two", &shape.one).apply("one", &json!({}));
        assert_eq!((play.value(), play.owners()), (shape.at(&shape.one), vec!["two"]));
    }),
    ("what all its owners give up goes", |shape| {
        let shared = Play::of(shape).apply("one", &shape.one).apply("two", &shape.one);
        let play = shared.apply("one", &json!({})).apply("two", &json!({}));
        assert_eq!((play.value(), play.owners()), (None, vec![]));
    }),
    ("another value is a conflict at the field", |shape| {
        let play = Play::of(shape).apply("one", &shape.one);
        assert_eq!(play.conflicts("two", &shape.other), [("\"one\"".to_owned(), shape.path.to_owned())]);
    }),
    ("another value of what is shared conflicts with each owner", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).apply("two", &shape.one);
        let met: Vec<String> = play.conflicts("three", &shape.other).into_iter().map(|(owner, _)| owner).collect();
        assert_eq!(met, ["\"one\"", "\"two\""]);
    }),
    ("force takes it over, and its old owner meets the new one", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).force("two", &shape.other);
        assert_eq!(play.value(), shape.at(&shape.other));
        assert_eq!(play.conflicts("one", &shape.one), [("\"two\"".to_owned(), shape.path.to_owned())]);
    }),
    ("its old owner gives up what was taken over, and it stays", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).force("two", &shape.other).apply("one", &json!({}));
        assert_eq!(play.value(), shape.at(&shape.other));
    }),
    ("an update takes over what it changes", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).update("hand", |json| shape.set_other(json));
        let met = play.conflicts("one", &shape.one);
        assert_eq!((met.len(), &met[0].1), (1, &shape.path.to_owned()));
        assert!(met[0].0.starts_with("\"hand\" using "), "{met:?}");
        // Kubernetes: who creates an element by applying it can give it up, whatever an update has changed in it.
        let is_in_an_element = shape.pointer.contains("/0/");
        let left = shape.at(&shape.other).filter(|_| !is_in_an_element);
        assert_eq!(play.apply("one", &json!({})).value(), left, "the update owns it");
    }),
    ("an update that removes it leaves it to nobody", |shape| {
        let play = Play::of(shape).apply("one", &shape.one).update("hand", |json| shape.remove(json));
        assert_eq!(play.value(), None);
        assert_eq!(play.apply("two", &shape.other).value(), shape.at(&shape.other), "no conflict");
    }),
    ("what was there before anyone was written down belongs to those who came before", |shape| {
        let mut json = shape.one.clone();
        json["metadata"]["name"] = "x".into();
        json["metadata"]["uid"] = "u".into();
        let play = Play { shape, live: Object::from_json(shape.kind, json).unwrap() };
        let met = play.conflicts("one", &shape.other);
        assert_eq!((met.len(), &met[0].1), (1, &shape.path.to_owned()));
        assert!(met[0].0.starts_with("\"before-first-apply\" using "), "{met:?}");
        let same = play.apply("one", &shape.one);
        assert_eq!(same.owners(), ["before-first-apply", "one"]);
        assert_eq!(same.apply("one", &json!({})).value(), shape.at(&shape.one), "it is shared");
    }),
];

#[test]
fn each_shape_goes_through_each_story() {
    let shapes = shapes();
    assert!(shapes.len() * STORIES.len() >= 120);
    for shape in &shapes {
        for (story, tell) in STORIES {
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell(shape)));
            assert!(told.is_ok(), "{}: {story}", shape.name);
        }
    }
}

/// A set has no values that could differ: each manager owns its own elements.
#[test]
fn a_set_is_owned_element_by_element() {
    let shape = shape("finalizers", ["/metadata/finalizers", ""], [json!({}), json!({})]);
    let of = |names: &[&str]| json!({"metadata": {"finalizers": names}});
    let play = Play::of(&shape).apply("one", &of(&["a", "b"])).apply("two", &of(&["b", "c"]));
    assert_eq!(play.value(), Some(json!(["a", "b", "c"])));
    assert_eq!(play.apply("one", &of(&["b"])).value(), Some(json!(["b", "c"])));
    assert_eq!(play.apply("one", &json!({})).value(), Some(json!(["b", "c"])));
    assert_eq!(play.apply("one", &json!({})).apply("two", &json!({})).value(), None);
}

/// An element that another manager has fields of stays, without the fields that were given up.
#[test]
fn an_element_with_fields_of_others_stays() {
    let path = ["/spec/template/spec/containers", ""];
    let shape = shape("containers", path, [json!({}), json!({})]);
    let play = Play::of(&shape)
        .apply("one", &in_container(&json!({"image": "i:1"})))
        .apply("two", &in_container(&json!({"command": ["run"]})));
    let parts = |play: Play<'_>| {
        let containers = play.value().unwrap();
        assert_eq!((containers.as_array().unwrap().len(), &containers[0]["name"]), (1, &json!("c")));
        ["image", "command"].map(|field| containers[0].get(field).is_some())
    };
    assert_eq!(parts(play.clone()), [true, true]);
    assert_eq!(parts(play.apply("one", &json!({}))), [false, true]);
    assert_eq!(parts(play.apply("two", &json!({}))), [true, false]);
}
