//! Services, Ingresses, policies and endpoints.

use std::net::IpAddr;

use serde_json::Value;

use super::super::name;
use super::container::target;
use super::spot::{Errors, Spot};
use crate::schema::FieldError;

/// A Service.
pub(super) fn service(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let ports = spec.at("ports");
    let external = spec.at("type").text() == "ExternalName";
    if !external && spec.at("clusterIP").text() != "None" {
        ports.require("", errors);
    }
    let many = ports.items().count() > 1;
    let mut names = std::collections::BTreeSet::new();
    for port in ports.items() {
        let name = port.at("name");
        if name.is_empty() {
            if many {
                errors.push(FieldError::required(name.path, ""));
            }
        } else {
            name.judge(name::label, errors);
            if !names.insert(name.text()) {
                errors.push(FieldError::duplicate(name.path, name.value));
            }
        }
        port.at("port").port(errors);
        port.at("protocol").one_of(&["SCTP", "TCP", "UDP"], errors);
        target(&port.at("targetPort"), errors);
    }
    spec.at("selector").labels(errors);
    if external {
        let name = spec.at("externalName");
        let trimmed = name.text().trim_end_matches('.');
        if trimmed.is_empty() {
            errors.push(FieldError::required(name.path, ""));
        } else {
            name.judge(|_| name::subdomain(trimmed), errors);
        }
    }
    let affinity = spec.at("sessionAffinity");
    if affinity.is_empty() {
        errors.push(FieldError::required(affinity.path, ""));
    } else {
        affinity.one_of(&["ClientIP", "None"], errors);
    }
    let kind = spec.at("type");
    if kind.is_empty() {
        errors.push(FieldError::required(kind.path, ""));
    } else {
        kind.one_of(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], errors);
    }
    families(&spec, errors);
}

/// The server has addresses of one family; only who selects nothing and needs none may want both.
fn families(spec: &Spot<'_>, errors: &mut Errors) {
    let policy = spec.at("ipFamilyPolicy");
    let bare = spec.at("clusterIP").text() == "None" && spec.at("selector").is_empty();
    if bare {
        return;
    }
    if policy.text() == "RequireDualStack" {
        policy.wrong("this cluster is not configured for dual-stack services", errors);
    }
    for family in spec.at("ipFamilies").items().filter(|it| it.text() == "IPv6") {
        family.wrong("not configured on this cluster", errors);
    }
}

/// An Ingress.
pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    let (fallback, rules) = (spec.at("defaultBackend"), spec.at("rules"));
    if rules.is_empty() && !fallback.is_set() {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid(&spec.path, rules.value, why));
    }
    if fallback.is_set() {
        backend(&fallback, errors);
    }
    for rule in rules.items() {
        host(&rule.at("host"), errors);
        let http = rule.at("http");
        if !http.is_set() {
            continue;
        }
        http.at("paths").require("", errors);
        for path in http.at("paths").items() {
            ingress_path(&path, errors);
        }
    }
    for tls in spec.at("tls").items() {
        for name in tls.at("hosts").items() {
            let rule = if name.text().contains('*') { name::wildcard } else { name::subdomain };
            name.judge(rule, errors);
        }
        if !tls.at("secretName").is_empty() {
            tls.at("secretName").judge(name::subdomain, errors);
        }
    }
    if spec.at("ingressClassName").is_set() {
        spec.at("ingressClassName").judge(name::subdomain, errors);
    }
}

fn host(host: &Spot<'_>, errors: &mut Errors) {
    if host.is_empty() {
        return;
    }
    if host.text().parse::<IpAddr>().is_ok() {
        host.wrong("must be a DNS name, not an IP address", errors);
    }
    let rule = if host.text().contains('*') { name::wildcard } else { name::subdomain };
    host.judge(rule, errors);
}

fn ingress_path(path: &Spot<'_>, errors: &mut Errors) {
    let kind = path.at("pathType");
    if !kind.is_set() {
        return errors.push(FieldError::required(kind.path, "pathType must be specified"));
    }
    let place = path.at("path");
    let relative = !place.text().starts_with('/');
    match kind.text() {
        "Exact" | "Prefix" => {
            if relative {
                absolute(&place, errors);
            }
            for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                if place.text().contains(bad) {
                    place.wrong(format!("must not contain '{bad}'"), errors);
                }
            }
            for bad in ["/..", "/."] {
                if place.text().ends_with(bad) {
                    place.wrong(format!("cannot end with '{bad}'"), errors);
                }
            }
        }
        "ImplementationSpecific" if relative && !place.is_empty() => absolute(&place, errors),
        _ => kind.one_of(&["Exact", "ImplementationSpecific", "Prefix"], errors),
    }
    backend(&path.at("backend"), errors);
}

fn absolute(place: &Spot<'_>, errors: &mut Errors) {
    errors.push(FieldError::invalid_text(&place.path, place.text(), "must be an absolute path"));
}

fn backend(backend: &Spot<'_>, errors: &mut Errors) {
    let (resource, service) = (backend.at("resource"), backend.at("service"));
    let bad = |why: &str| FieldError::invalid_text(&backend.path, "", why);
    match (resource.is_set(), service.is_set()) {
        (true, true) => errors.push(bad("cannot set both resource and service backends")),
        (true, false) => {
            resource.at("kind").require("", errors);
            resource.at("name").require("", errors);
        }
        (false, true) => {
            service.at("name").require_name(name::label_1035, errors);
            let (name, number) =
                (service.along(&["port", "name"]), service.along(&["port", "number"]));
            match (!name.is_empty(), number.number().unwrap_or(0) != 0) {
                (true, true) => errors.push(bad("cannot set both port name & port number")),
                (true, false) => name.judge(name::port_name, errors),
                (false, true) => number.port(errors),
                (false, false) => {
                    let why = "port name or number is required";
                    errors.push(FieldError::required(&backend.path, why));
                }
            }
        }
        (false, false) => errors.push(bad("resource or service backend is required")),
    }
}

/// An `IngressClass`.
pub(super) fn ingress_class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let controller = Spot::of(object, "spec").at("controller");
    if controller.is_empty() {
        errors.push(FieldError::required(controller.path, ""));
    } else {
        for (part, why) in name::domain_path(controller.text()) {
            errors.push(FieldError::invalid_text(&controller.path, part, why));
        }
        if old.is_some_and(|old| old["spec"]["controller"] != *controller.value) {
            controller.wrong("field is immutable", errors);
        }
    }
}

/// A `NetworkPolicy`.
pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let spec = Spot::of(object, "spec");
    spec.at("podSelector").selector(errors);
    for way in ["ingress", "egress"] {
        for rule in spec.at(way).items() {
            for port in rule.at("ports").items() {
                port.at("protocol").perhaps_one_of(&["TCP", "UDP", "SCTP"], errors);
                target(&port.at("port"), errors);
            }
            for peer in rule.at(if way == "ingress" { "from" } else { "to" }).items() {
                self::peer(&peer, errors);
            }
        }
    }
    for kind in spec.at("policyTypes").items() {
        kind.one_of(&["Egress", "Ingress"], errors);
    }
}

fn peer(peer: &Spot<'_>, errors: &mut Errors) {
    let kinds = ["podSelector", "namespaceSelector", "ipBlock"].map(|it| peer.at(it));
    if !kinds.iter().any(Spot::is_set) {
        return errors.push(FieldError::required(&peer.path, "must specify a peer"));
    }
    if kinds[2].is_set() && kinds[..2].iter().any(Spot::is_set) {
        return peer.forbid("may not specify both ipBlock and another peer", errors);
    }
    for selector in &kinds[..2] {
        selector.selector(errors);
    }
    if kinds[2].is_set() {
        kinds[2].at("cidr").require("", errors);
    }
}

/// An `EndpointSlice`.
pub(super) fn slice(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let kind = Spot::of(object, "addressType");
    if kind.is_empty() {
        errors.push(FieldError::required(&kind.path, ""));
    } else {
        kind.one_of(&["FQDN", "IPv4", "IPv6"], errors);
    }
    for endpoint in Spot::of(object, "endpoints").items() {
        endpoint.at("addresses").require("must contain at least 1 address", errors);
        for address in endpoint.at("addresses").items() {
            let found = address.text().parse::<IpAddr>().ok();
            if kind.text() != "FQDN" && found.is_none() {
                let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                address.wrong(why, errors);
            }
        }
    }
    if old.is_some_and(|old| old["addressType"] != object["addressType"]) {
        kind.wrong("field is immutable", errors);
    }
}
