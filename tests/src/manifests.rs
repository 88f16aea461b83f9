//! Random manifests, for tests that compare two ways to the same object.
//!
//! Each draws its parts on its own, so that two manifests of one name differ in which fields they have, in the members of
//! unions (a volume's source, a probe's handler), and in the elements of lists.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Draws manifests of config maps, services and Deployments.
pub struct Manifests(Rng);

impl Manifests {
    /// The seed determines the manifests.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    fn some(&mut self, share: u8) -> bool {
        self.0.u8(..100) < share
    }

    fn pick<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.0.usize(..values.len())]
    }

    /// A random part of these values, in a random order.
    fn part<'a>(&mut self, values: &[&'a str]) -> Vec<&'a str> {
        let mut part: Vec<&str> = values.iter().copied().filter(|_| self.0.bool()).collect();
        self.0.shuffle(&mut part);
        part
    }

    fn map(&mut self, keys: &[&str]) -> Map<String, Value> {
        let part = self.part(keys);
        part.into_iter().map(|key| (key.to_owned(), json!(self.pick(&["x", "y", ""])))).collect()
    }

    /// Sets a field in some of the manifests.
    fn maybe(&mut self, object: &mut Value, field: &str, value: impl FnOnce(&mut Self) -> Value) {
        if self.some(45) {
            let value = value(self);
            object[field] = value;
        }
    }

    /// Draws two manifests of one object: any of them may follow the other.
    pub fn pair(&mut self, name: &str) -> [Value; 2] {
        let kind = self.0.u8(..3);
        std::array::from_fn(|_| {
            let mut object = match kind {
                0 => self.config_map(),
                1 => self.service(),
                _ => self.deployment(),
            };
            object["metadata"] = json!({"name": name});
            self.maybe(&mut object["metadata"], "labels", |random| random.map(&["a", "b", "c"]).into());
            self.maybe(&mut object["metadata"], "annotations", |random| random.map(&["note", "other"]).into());
            object
        })
    }

    fn config_map(&mut self) -> Value {
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        self.maybe(&mut map, "data", |random| random.map(&["one", "two", "three"]).into());
        self.maybe(&mut map, "binaryData", |_| json!({"bytes": "AQID"}));
        map
    }

    fn service(&mut self) -> Value {
        let mut spec = json!({"selector": {"app": "x"}, "ports": self.service_ports()});
        self.maybe(&mut spec, "type", |random| json!(random.pick(&["ClusterIP", "NodePort", "LoadBalancer"])));
        self.maybe(&mut spec, "sessionAffinity", |random| json!(random.pick(&["None", "ClientIP"])));
        self.maybe(&mut spec, "publishNotReadyAddresses", |random| json!(random.0.bool()));
        self.maybe(&mut spec, "internalTrafficPolicy", |random| json!(random.pick(&["Cluster", "Local"])));
        if spec["sessionAffinity"] == "ClientIP" {
            let seconds = self.0.u32(1..86_400);
            self.maybe(&mut spec, "sessionAffinityConfig", |_| json!({"clientIP": {"timeoutSeconds": seconds}}));
        }
        json!({"apiVersion": "v1", "kind": "Service", "spec": spec})
    }

    fn service_ports(&mut self) -> Value {
        let mut names = self.part(&["http", "https", "admin"]);
        if names.is_empty() {
            names.push("http");
        }
        let ports = names.into_iter().map(|name| {
            let number = match name {
                "http" => 80,
                "https" => 443,
                _ => 9_000,
            };
            let mut port = json!({"name": name, "port": number});
            self.maybe(&mut port, "targetPort", |random| if random.0.bool() { json!(8_080) } else { json!(name) });
            port
        });
        ports.collect()
    }

    fn deployment(&mut self) -> Value {
        // Paused, so that no ReplicaSets are in the way.
        let mut spec = json!({"paused": true, "replicas": self.0.u8(1..4), "selector": {"matchLabels": {"app": "x"}}});
        self.maybe(&mut spec, "strategy", |random| match random.0.u8(..3) {
            0 => json!({"type": "Recreate"}),
            1 => json!({"rollingUpdate": {"maxSurge": random.pick(&["1", "25%"]).parse::<u8>().map_or(json!("25%"), |n| json!(n))}}),
            _ => json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}),
        });
        self.maybe(&mut spec, "minReadySeconds", |random| json!(random.0.u8(..9)));
        self.maybe(&mut spec, "revisionHistoryLimit", |random| json!(random.0.u8(1..9)));
        self.maybe(&mut spec, "progressDeadlineSeconds", |random| json!(random.0.u16(60..900)));
        spec["template"] = json!({"metadata": {"labels": {"app": "x"}}, "spec": self.pod_spec()});
        self.maybe(&mut spec["template"]["metadata"], "annotations", |random| random.map(&["checksum", "v"]).into());
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    }

    fn pod_spec(&mut self) -> Value {
        let volumes = self.part(&["data", "config", "cache"]);
        let mut names = self.part(&["app", "side", "proxy"]);
        if names.is_empty() {
            names.push("app");
        }
        let containers: Vec<Value> = names.into_iter().map(|name| self.container(name, &volumes)).collect();
        let mut spec = json!({"containers": containers});
        if !volumes.is_empty() {
            spec["volumes"] = volumes.iter().map(|name| self.volume(name)).collect();
        }
        self.maybe(&mut spec, "initContainers", |random| {
            let names = random.part(&["first", "second"]);
            names.into_iter().map(|name| random.init_container(name)).collect()
        });
        self.maybe(&mut spec, "nodeSelector", |random| random.map(&["disk", "zone"]).into());
        self.maybe(&mut spec, "terminationGracePeriodSeconds", |random| json!(random.0.u8(1..60)));
        self.maybe(&mut spec, "securityContext", |random| match random.0.bool() {
            true => json!({"runAsUser": 1_000}),
            false => json!({"fsGroup": 2_000, "runAsNonRoot": true}),
        });
        self.maybe(&mut spec, "tolerations", |random| {
            let keys = random.part(&["gpu", "spot"]);
            keys.into_iter().map(|key| json!({"key": key, "operator": "Exists", "effect": "NoSchedule"})).collect()
        });
        self.maybe(&mut spec, "topologySpreadConstraints", |random| {
            json!([{"maxSkew": random.0.u8(1..4), "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "x"}}}])
        });
        spec
    }

    fn volume(&mut self, name: &str) -> Value {
        match self.0.u8(..4) {
            0 => json!({"name": name, "emptyDir": {}}),
            1 => json!({"name": name, "emptyDir": {"medium": "Memory"}}),
            2 => json!({"name": name, "configMap": {"name": self.pick(&["one", "two"])}}),
            _ => json!({"name": name, "secret": {"secretName": "s", "optional": self.0.bool()}}),
        }
    }

    /// A container that runs to its end: nothing probes it.
    fn init_container(&mut self, name: &str) -> Value {
        let mut container = self.container(name, &[]);
        for field in ["readinessProbe", "livenessProbe", "lifecycle"] {
            container.as_object_mut().and_then(|fields| fields.remove(field));
        }
        container
    }

    fn container(&mut self, name: &str, volumes: &[&str]) -> Value {
        let mut container = json!({"name": name, "image": self.pick(&["web:v1", "web:v2", "db:v1"])});
        self.maybe(&mut container, "command", |random| json!(random.part(&["run", "serve", "-v"])));
        self.maybe(&mut container, "imagePullPolicy", |random| json!(random.pick(&["Always", "IfNotPresent"])));
        self.maybe(&mut container, "env", |random| {
            let names = random.part(&["A", "B", "C"]);
            names.into_iter().map(|name| random.variable(name)).collect()
        });
        self.maybe(&mut container, "ports", |random| {
            let ports = [("http", 8_080), ("metrics", 9_090)].into_iter().filter(|_| random.0.bool());
            ports.map(|(name, number)| json!({"name": name, "containerPort": number})).collect()
        });
        self.maybe(&mut container, "resources", |random| {
            let mut resources = json!({"requests": {"cpu": random.pick(&["100m", "1", "0.5"])}});
            random.maybe(&mut resources, "limits", |random| json!({"memory": random.pick(&["64Mi", "1Gi"])}));
            resources
        });
        for probe in ["readinessProbe", "livenessProbe"] {
            self.maybe(&mut container, probe, Self::probe);
        }
        self.maybe(&mut container, "lifecycle", |random| match random.0.bool() {
            true => json!({"preStop": {"exec": {"command": ["sleep", "5"]}}}),
            false => json!({"preStop": {"httpGet": {"path": "/quit", "port": 8_080}}}),
        });
        if !volumes.is_empty() {
            let mounts = self.part(volumes);
            container["volumeMounts"] = mounts
                .into_iter()
                .map(|name| json!({"name": name, "mountPath": format!("/{name}"), "readOnly": self.0.bool()}))
                .collect();
        }
        container
    }

    fn variable(&mut self, name: &str) -> Value {
        match self.0.u8(..3) {
            0 => json!({"name": name, "value": self.pick(&["1", "2", ""])}),
            1 => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            _ => json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "one", "key": "k"}}}),
        }
    }

    fn probe(&mut self) -> Value {
        let mut probe = match self.0.u8(..3) {
            0 => json!({"httpGet": {"path": self.pick(&["/", "/healthz"]), "port": 8_080}}),
            1 => json!({"tcpSocket": {"port": 8_080}}),
            _ => json!({"exec": {"command": ["true"]}}),
        };
        self.maybe(&mut probe, "periodSeconds", |random| json!(random.0.u8(1..20)));
        self.maybe(&mut probe, "initialDelaySeconds", |random| json!(random.0.u8(..20)));
        probe
    }
}
