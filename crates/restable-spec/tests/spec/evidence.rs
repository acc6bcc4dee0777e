//! What shows the effect of a call whose answer was lost, and how the job that it started is read.

use restable_spec::{Evidence, HttpMethod, JobState, Registry};

use crate::{SUBSCRIPTION, builtin, one_service, table};

fn words(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Job => String::from("job"),
        Evidence::Absent => String::from("absent"),
        Evidence::Present => String::from("present"),
        Evidence::State { field, values } => format!("{field} in {}", values.join(", ")),
        Evidence::None => String::from("none"),
    }
}

/// Each method that changes something, with its evidence and the GET that is asked for it.
fn of_service(registry: &Registry, provider: &str, service: &str) -> String {
    let provider = registry.provider(provider).unwrap();
    let service = provider.service(service).unwrap().unwrap();
    let mut lines = Vec::new();
    for resource in service.resources.values() {
        for method in resource.methods.values().filter(|method| !method.read_only) {
            let reader = match &method.evidence {
                Evidence::None => None,
                Evidence::Job => service.job_list(),
                _ => service.reader_at(method),
            };
            let reader = match (&method.evidence, reader) {
                (Evidence::None, _) => String::new(),
                (_, Some((_, reader))) => format!(", by {}", reader.full_name()),
                (_, None) => String::from(", but nothing shows it"),
            };
            let (name, evidence) = (method.full_name(), words(&method.evidence));
            lines.push(format!("{name}: {evidence}{reader}"));
        }
    }
    lines.join("\n")
}

#[test]
fn every_method_that_changes_something_says_what_shows_it() {
    insta::assert_snapshot!(of_service(&builtin(), "azure", "data_protection"), @"
    backup_instances.create_or_update: present, by backup_instances.get
    backup_instances.delete: absent, by backup_instances.get
    backup_instances.adhoc_backup: job, by jobs.list
    backup_instances.resume_backups: properties.currentProtectionState in ProtectionConfigured, by backup_instances.get
    backup_instances.resume_protection: properties.currentProtectionState in ProtectionConfigured, by backup_instances.get
    backup_instances.stop_protection: properties.currentProtectionState in ProtectionStopped, by backup_instances.get
    backup_instances.suspend_backups: properties.currentProtectionState in BackupsSuspended, BackupSchedulesSuspended, by backup_instances.get
    backup_instances.sync_backup_instance: none
    backup_instances.trigger_rehydrate: none
    backup_instances.trigger_restore: job, by jobs.list
    backup_instances.trigger_cross_region_restore: none
    backup_instances.validate_for_backup: none
    backup_instances.validate_for_modify_backup: none
    backup_instances.validate_for_restore: none
    backup_instances.validate_cross_region_restore: none
    backup_policies.create_or_update: present, by backup_policies.get
    backup_policies.delete: absent, by backup_policies.get
    backup_vaults.create_or_update: present, by backup_vaults.get
    backup_vaults.update: present, by backup_vaults.get
    backup_vaults.delete: absent, by backup_vaults.get
    deleted_backup_instances.undelete: properties.currentProtectionState in ProtectionStopped, by backup_instances.get
    dpp_resource_guard_proxy.create_or_update: present, by dpp_resource_guard_proxy.get
    dpp_resource_guard_proxy.delete: absent, by dpp_resource_guard_proxy.get
    dpp_resource_guard_proxy.unlock_delete: none
    export_jobs.trigger: none
    resource_guards.put: present, by resource_guards.get
    resource_guards.patch: present, by resource_guards.get
    resource_guards.delete: absent, by resource_guards.get
    ");
}

#[test]
fn the_reader_takes_what_the_call_takes() {
    let (service, _) = table("data_protection", "backup_instances");
    for method in service
        .resources
        .values()
        .flat_map(|resource| resource.methods.values())
    {
        if method.http == HttpMethod::Get || method.evidence == Evidence::None {
            continue;
        }
        let asked = match &method.evidence {
            Evidence::Job => service.job_list(),
            _ => service.reader_at(method),
        };
        let (_, reader) = asked.unwrap();
        for parameter in reader.path.parameters() {
            assert!(
                method.parameter(parameter).is_some(),
                "{} does not take `{parameter}` of {}",
                method.full_name(),
                reader.full_name()
            );
        }
    }
}

#[test]
fn statuses_of_jobs() {
    let (service, _) = table("data_protection", "jobs");
    let jobs = service.jobs.as_ref().unwrap();
    for (status, ended, state) in [
        ("InProgress", false, JobState::Running),
        ("inprogress", false, JobState::Running),
        ("Cancelling", false, JobState::Running),
        ("Completed", true, JobState::Succeeded),
        ("COMPLETED", true, JobState::Succeeded),
        ("CompletedWithWarnings", true, JobState::Succeeded),
        ("Cancelled", true, JobState::Canceled),
        ("Canceled", true, JobState::Canceled),
        ("Failed", true, JobState::Failed),
        // The list speaks before the end does: the service may write the two at different times.
        ("Completed", false, JobState::Succeeded),
        // In no list: the end tells.
        ("Paused", false, JobState::Running),
        ("Paused", true, JobState::Failed),
        ("", false, JobState::Running),
    ] {
        assert_eq!(jobs.state(status, ended), state, "{status} {ended}");
    }
    let mut without_end = jobs.clone();
    without_end.ended = None;
    assert_eq!(without_end.state("Paused", false), JobState::Failed);
    assert_eq!(without_end.state("InProgress", false), JobState::Running);
}

/// The recorded service answers a full id, the official example a bare one; both are the same job.
#[test]
fn one_job_by_its_id_or_by_its_name() {
    let (service, instances) = table("data_protection", "backup_instances");
    let (_, reader) = service.job_reader().unwrap();
    assert_eq!(reader.full_name(), "jobs.get");
    assert_eq!(service.job_list().unwrap().1.full_name(), "jobs.list");
    let backup = instances.method("adhoc_backup").unwrap();
    let vault = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v"
    );
    let given = backup
        .fill_from_id(&format!("{vault}/backupInstances/disk-7"))
        .unwrap();
    let path = |job: &str| {
        let arguments = service.job_arguments(&given, job).unwrap();
        reader.bind(&service, &arguments).unwrap().path
    };
    let name = "c9d5b1f4-6c1e-4f4f-8a0b-0d2c7b0f0a11";
    assert_eq!(path(name), format!("{vault}/backupJobs/{name}"));
    assert_eq!(
        path(&format!("{vault}/backupJobs/{name}")),
        format!("{vault}/backupJobs/{name}")
    );
    // The id of a job speaks for itself, also where the call was of no vault.
    let elsewhere = format!("{vault}2/BackupJobs/{name}");
    let arguments = service.job_arguments(&[], &elsewhere).unwrap();
    let bound = reader.bind(&service, &arguments).unwrap();
    assert_eq!(bound.path, format!("{vault}2/backupJobs/{name}"));
    // A bare name without a vault is nowhere.
    let arguments = service.job_arguments(&[], name).unwrap();
    assert!(reader.bind(&service, &arguments).is_err());
    insta::assert_snapshot!(service.job_arguments(&given, &vault).unwrap_err(), @"`/subscriptions/0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10/resource…` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupJobs/{jobId}`: it has 8 parts, not 10");

    let (resources, _) = table("resource", "subscriptions");
    assert!(
        resources.jobs.is_none()
            && resources.job_reader().is_none()
            && resources.job_list().is_none()
    );
    assert!(resources.job_arguments(&given, name).is_err());
}

/// A service with a thing that can be read, written and acted upon.
fn things(action: &str, root: &str) -> String {
    format!(
        "\
{root}
components:
  schemas:
    Row: {{properties: {{id: {{type: string}}, properties: {{type: object}}}}}}
  x-stackQL-resources:
    things:
      methods:
        get: {{operation: {{$ref: '#/paths/~1things~1{{name}}/get'}}}}
        put: {{operation: {{$ref: '#/paths/~1things~1{{name}}/put'}}}}
        change: {{operation: {{$ref: '#/paths/~1things~1{{name}}/patch'}}}}
        drop: {{operation: {{$ref: '#/paths/~1things~1{{name}}/delete'}}}}
        act: {{operation: {{$ref: '#/paths/~1Things~1{{Name}}~1act~1/post'}}}}
        lone: {{operation: {{$ref: '#/paths/~1lone~1{{name}}/put'}}}}
        make: {{operation: {{$ref: '#/paths/~1things/post'}}}}
        again: {{operation: {{$ref: '#/paths/~1things~1{{name}}/post'}}}}
      sqlVerbs: {{select: [{{$ref: '#/components/x-stackQL-resources/things/methods/get'}}]}}
paths:
  '/things': {{post: {{}}}}
  '/things/{{name}}':
    get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Row'}}}}}}}}}}}}
    put: {{}}
    patch: {{}}
    delete: {{}}
    post: {{x-restable-evidence: present}}
  '/Things/{{Name}}/act/': {{post: {{{action}}}}}
  '/lone/{{name}}': {{put: {{}}}}
"
    )
}

#[test]
fn documents_that_say_nothing_and_documents_that_say_it_wrong() {
    let read = |action: &str, root: &str| {
        let registry = one_service(&things(action, root));
        match registry.provider("p").unwrap().service("s") {
            Ok(_) => of_service(&registry, "p", "s"),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(read("", ""), @"
    things.put: present, by things.get
    things.change: present, by things.get
    things.drop: absent, by things.get
    things.act: none
    things.lone: present, but nothing shows it
    things.make: none
    things.again: present, but nothing shows it
    ");
    let of_act = |action: &str, root: &str| {
        let all = read(action, root);
        match all.lines().find(|line| line.starts_with("things.act")) {
            Some(line) => line.to_owned(),
            None => all,
        }
    };
    insta::assert_snapshot!(of_act("x-restable-evidence: {field: properties.state, values: [On]}", ""), @"things.act: properties.state in On, by things.get");
    insta::assert_snapshot!(of_act("x-restable-evidence: absent", ""), @"things.act: absent, by things.get");
    insta::assert_snapshot!(of_act("x-restable-evidence: perhaps", ""), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-evidence`: `perhaps` is none of `job`, `absent`, `present`, `none`");
    insta::assert_snapshot!(of_act("x-restable-evidence: 7", ""), @"`p/v1/services/s.yaml` line 25, column 55, at `paths./Things/{Name}/act/.post.x-restable-evidence`: invalid type: integer `7`, expected a word or an object with `field` and `values`");
    insta::assert_snapshot!(of_act("x-restable-evidence: {field: state}", ""), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-evidence`: `values` is missing");
    insta::assert_snapshot!(of_act("x-restable-evidence: {values: [On]}", ""), @"`p/v1/services/s.yaml` line 25, column 55, at `paths./Things/{Name}/act/.post.x-restable-evidence`: missing field `field`");
    insta::assert_snapshot!(of_act("x-restable-evidence: {of: others, field: state, values: [On]}", ""), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-evidence`: there is no resource `others`");
    insta::assert_snapshot!(of_act("x-restable-evidence: job", ""), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-evidence`: `x-restable-jobs` is missing");
    let jobs = "x-restable-jobs: {resource: things, result-attribute: job, status: state}";
    insta::assert_snapshot!(of_act("x-restable-evidence: job", jobs), @"things.act: job, but nothing shows it");
    insta::assert_snapshot!(of_act("", &jobs.replace("things", "others")), @"`p/v1/services/s.yaml`, at `x-restable-jobs`: there is no resource `others`");
    insta::assert_snapshot!(of_act("", "x-restable-jobs: {resource: things, status: state}"), @"`p/v1/services/s.yaml` line 1, column 18, at `x-restable-jobs`: missing field `result-attribute`");
}
