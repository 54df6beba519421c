//! Validation of what containers mount: the volumes are there, and the directories are not ours.

use k8s_openapi::api::core::v1::VolumeMount;
use vedette_crds::PodSettings;

use super::fields;
use crate::desired::{OUR_DIRECTORY, is_our_volume};
use crate::field_error::{FieldErrors, quoted};

/// Volumes and mounts that would be in the way of Vedette's own.
pub(super) fn check_names(path: &str, settings: &PodSettings, errors: &mut FieldErrors) {
    for name in volumes(settings).filter(|name| is_our_volume(name)) {
        errors.push(format!("{path}.volumes"), quoted(name), "is a volume of Vedette's own; choose another name");
    }
    fields::once(&format!("{path}.volumes"), volumes(settings), errors);
    let directories = mounts(settings).map(|mount| mount.mount_path.as_str());
    fields::once(&format!("{path}.volumeMounts"), directories, errors);
    for mount in mounts(settings) {
        if components(&mount.mount_path).starts_with(&components(OUR_DIRECTORY)) {
            let mend = format!("choose a directory that is not {OUR_DIRECTORY} nor below it");
            errors.push(format!("{path}.volumeMounts"), quoted(&mount.mount_path), mend);
        }
    }
}

/// Mounts without a volume.
pub(super) fn check_volumes(path: &str, settings: &PodSettings, errors: &mut FieldErrors) {
    refuse(settings, &format!("{path}.volumeMounts"), &format!("add it to {path}.volumes"), errors);
}

/// Mounts without a volume where a component's settings stand over those of all: a list of its own is in the place of theirs.
pub(super) fn check_component_volumes(all: &PodSettings, path: &str, own: &PodSettings, errors: &mut FieldErrors) {
    let list = if own.volume_mounts.is_none() { "volumes" } else { "volumeMounts" };
    let mend = if own.volumes.is_none() {
        "add it to spec.pod.volumes".to_owned()
    } else {
        format!("add it to {path}.volumes, which stands in the place of spec.pod.volumes")
    };
    refuse(&all.with(own), &format!("{path}.{list}"), &mend, errors);
}

/// Whether a component has lists of its own.
pub(super) fn says_any(own: &PodSettings) -> bool {
    own.volumes.is_some() || own.volume_mounts.is_some()
}

fn refuse(settings: &PodSettings, path: &str, mend: &str, errors: &mut FieldErrors) {
    for VolumeMount { name, mount_path, .. } in mounts(settings) {
        if !volumes(settings).any(|volume| volume == name) {
            errors.push(path, quoted(name), format!("no volume of that name for the mount at {mount_path}; {mend}"));
        }
    }
}

fn volumes(settings: &PodSettings) -> impl Iterator<Item = &str> {
    settings.volumes.iter().flatten().map(|volume| volume.known.name.as_str())
}

fn mounts(settings: &PodSettings) -> impl Iterator<Item = &VolumeMount> {
    settings.volume_mounts.iter().flatten().map(|mount| &mount.known)
}

/// The directories of a path, as the kernel would find them where there are no links.
fn components(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(found.pop()),
            part => found.push(part),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn errors(check: impl FnOnce(&mut FieldErrors)) -> Vec<String> {
        let mut errors = FieldErrors::of("x");
        check(&mut errors);
        errors.into_errors().into_iter().map(|error| format!("{}: {}", error.path, error.hint)).collect()
    }

    /// Lists that are empty are left out.
    fn settings(volumes: &[&str], mounts: &[(&str, &str)]) -> PodSettings {
        let volumes: Vec<Value> = volumes.iter().map(|name| json!({ "name": name, "emptyDir": {} })).collect();
        let mounts: Vec<Value> = mounts.iter().map(|(name, path)| json!({ "name": name, "mountPath": path })).collect();
        let lists = [("volumes", volumes), ("volumeMounts", mounts)];
        let said =
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key.to_owned(), list.into()));
        serde_json::from_value(Value::Object(said.collect())).unwrap()
    }

    #[test]
    fn only_what_is_below_our_directory_is_ours() {
        let refused = |path: &str| {
            let settings = settings(&["v"], &[("v", path)]);
            !errors(|errors| check_names("spec.pod", &settings, errors)).is_empty()
        };
        for ours in
            ["/var/lib/vedette", "/var/lib/vedette/model", "/var//lib/./vedette/", "/var/lib/x/../vedette/spool"]
        {
            assert!(refused(ours), "{ours}");
        }
        for theirs in ["/var/lib/vedette-ca", "/var/lib", "/srv/var/lib/vedette", "/var/lib/vedette/../ca"] {
            assert!(!refused(theirs), "{theirs}");
        }
    }

    #[test]
    fn a_volume_of_ours_can_neither_be_made_nor_mounted() {
        for name in ["model", "kafka-oauth-ca", "vedette-lookup-services", "vedette-receiver-desk-url"] {
            let settings = settings(&[name], &[]);
            assert_eq!(errors(|errors| check_names("spec.pod", &settings, errors)).len(), 1, "{name}");
            let mounted = self::settings(&[], &[(name, "/x")]);
            assert_eq!(errors(|errors| check_volumes("spec.pod", &mounted, errors)).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_volume_or_a_directory_that_stands_there_twice_is_refused_by_name() {
        let twice = settings(&["ca", "data", "ca"], &[("ca", "/ca"), ("data", "/ca")]);
        let hint = "stands there twice; leave one out, or give it a name of its own";
        assert_eq!(
            errors(|errors| check_names("spec.pod", &twice, errors)),
            [format!("spec.pod.volumes: {hint}"), format!("spec.pod.volumeMounts: {hint}")]
        );
        let once = settings(&["ca", "data"], &[("ca", "/ca"), ("ca", "/data")]);
        assert_eq!(errors(|errors| check_names("spec.pod", &once, errors)), [""; 0]);
    }

    #[test]
    fn what_a_component_empties_needs_nothing() {
        let all = settings(&["ca"], &[("ca", "/ca")]);
        let of = |own: PodSettings| {
            assert!(says_any(&own));
            errors(|errors| check_component_volumes(&all, "spec.detector.pod", &own, errors))
        };
        let (volumes, mounts) = (Some(Vec::new()), Some(Vec::new()));
        assert_eq!(of(PodSettings { volume_mounts: mounts, ..PodSettings::default() }), [""; 0]);
        let left = of(PodSettings { volumes, ..PodSettings::default() });
        assert!(
            left[0].ends_with("add it to spec.detector.pod.volumes, which stands in the place of spec.pod.volumes")
        );
    }

    #[test]
    fn a_mount_without_its_volume_is_named_with_what_replaced_it() {
        let all = settings(&["ca"], &[("ca", "/ca")]);
        let of = |own: &PodSettings| {
            errors(|errors| check_component_volumes(&all, "spec.detector.pod", own, errors)).join("\n")
        };
        assert_eq!(errors(|errors| check_volumes("spec.pod", &all, errors)), [""; 0]);
        assert_eq!(
            errors(|errors| check_volumes("spec.pod", &settings(&[], &[("ca", "/ca")]), errors)),
            ["spec.pod.volumeMounts: no volume of that name for the mount at /ca; add it to spec.pod.volumes"]
        );
        assert_eq!(
            of(&settings(&["data"], &[])),
            "spec.detector.pod.volumes: no volume of that name for the mount at /ca; \
             add it to spec.detector.pod.volumes, which stands in the place of spec.pod.volumes"
        );
        assert_eq!(
            of(&settings(&[], &[("data", "/data")])),
            "spec.detector.pod.volumeMounts: no volume of that name for the mount at /data; add it to spec.pod.volumes"
        );
        assert_eq!(of(&settings(&["ca", "data"], &[])), "");
        assert_eq!(of(&settings(&["data"], &[("data", "/data")])), "");
    }
}
