//! ImageUpdateAutomation, as its users and the Git server see it.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};
use world::git::{Content, Repository};

scenarios! {
    a_commit_holds_the_marked_scalars_and_nothing_else,
    every_marker_left_alone_is_explained_in_one_event,
    tags_that_are_no_yaml_strings_are_quoted,
    the_message_is_rendered_from_the_changes,
    older_templates_work_and_are_told,
    a_template_without_meaning_fails_and_says_where,
    a_push_branch_is_made_and_continued,
    a_refspec_is_pushed_as_well,
    a_refspec_of_the_branch_itself_is_an_error,
    the_status_tells_what_was_seen_and_pushed,
    a_tag_or_commit_needs_a_push_branch,
    paths_stay_in_the_repository,
    links_are_kept_and_not_followed,
    two_automations_on_one_branch_both_land,
    a_chosen_image_is_committed_at_once,
    policies_are_selected_by_label,
    a_suspended_automation_leaves_the_repository_alone,
    a_repository_without_commits_is_waited_for,
    a_repository_may_go_and_come_back,
    a_rewritten_branch_is_updated_again,
    a_missing_source_is_named_and_waited_for,
    a_git_repository_of_another_namespace_is_used,
    what_cannot_work_stalls,
    a_deleted_automation_leaves_no_finalizer,
}

pub(crate) const AUTOMATION: &str = "ImageUpdateAutomation";

/// A repository with `files`, an image with `tags`, and what selects the highest 1.x of them.
pub(crate) async fn fleet<C: Into<Content>>(
    it: &Tenant,
    files: impl IntoIterator<Item = (&str, C)>,
    tags: &[&str],
) -> Result<Repository> {
    let repository = it.files(files).await?;
    it.app(tags).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    Ok(repository)
}

/// Waits until the automation is ready after a push.
pub(crate) async fn pushed(it: &Tenant, name: &str) -> Result<Value> {
    let pushed = |it: &Value| {
        it["status"]["lastPushTime"].is_string() && condition(it, "Ready")["status"] == "True"
    };
    it.wait((AUTOMATION, name), "a commit is pushed", pushed).await
}

/// A file of a branch.
pub(crate) async fn read(repository: &Repository, branch: &str, path: &str) -> Result<String> {
    let bytes = repository.read_file(branch, path).await?.context("the file is there")?;
    Ok(String::from_utf8(bytes)?)
}

/// Waits until a file of a branch has `part`.
pub(crate) async fn landed(it: &Tenant, at: (&Repository, &str, &str), part: &str) -> Result<()> {
    let (repository, branch, path) = at;
    let has = || async { read(repository, branch, path).await.is_ok_and(|it| it.contains(part)) };
    it.world.objects.eventually(&format!("{path} of {branch} has {part}"), has).await
}

pub(crate) async fn no_warnings(it: &Tenant, name: &str) -> Result<()> {
    let events = it.events(AUTOMATION, name).await?;
    ensure!(events.iter().all(|event| event.kind == "Normal"), "{events:#?}");
    Ok(())
}

async fn messages(repository: &Repository, branch: &str) -> Result<Vec<String>> {
    Ok(repository.log(branch).await?.into_iter().map(|entry| entry.message).collect())
}

async fn a_commit_holds_the_marked_scalars_and_nothing_else(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let image = format!("{}:1.0.0", it.image("app"));
    let marker = format!("# {{\"$imagepolicy\": \"{}:app\"}}", it.namespace);
    let tag = format!("# {{\"$imagepolicy\": \"{}:app:tag\"}}", it.namespace);
    let files = [
        ("crlf.yaml", format!("a: 1\r\n{}\r\nb:   2\r\n", line.trim_end())),
        ("bom.yaml", format!("\u{feff}{line}")),
        ("no-newline.yml", line.trim_end().to_owned()),
        ("spaces.yaml", format!("a:    [ 1,2 ]   \n\n\n'image' :   \"{image}\"   {marker}  \n\n")),
        ("documents.yaml", format!("---\n{line}---\n# c\n{line}...\n---\n{{}}\n")),
        (
            "anchors.yaml",
            format!("base: &b\n  {line}  x: |\n    kept  \n    {image} text\nmore: {{<<: *b}}\n")
                .replace(&format!("{image} text"), "text"),
        ),
        ("list.yaml", format!("kind: List\nitems:\n  - {line}  -   tag: '1.0.0' {tag}\n")),
        (".hidden/Kustomization", format!("images:\n- newTag: 1.0.0 {tag}\n")),
    ];
    let given = files.iter().map(|(path, text)| (*path, text.as_str()));
    let repository = fleet(&it, given, &["1.0.0", "1.1.0"]).await?;
    repository.commit("main", [("notes.txt", line.as_str())], "no YAML").await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    for (path, before) in &files {
        let after = read(&repository, "main", path).await?;
        assert_eq!(after, before.replace("1.0.0", "1.1.0"), "{path}");
    }
    assert_eq!(read(&repository, "main", "notes.txt").await?, line);
    let events = it.events(AUTOMATION, "fleet").await?;
    ensure!(!events.iter().any(|event| event.reason == "MarkersNotUpdated"), "{events:#?}");
    Ok(())
}

async fn every_marker_left_alone_is_explained_in_one_event(it: Tenant) -> Result<()> {
    let marker = |policy: &str| format!("image: old # {{\"$imagepolicy\": \"{policy}\"}}\n");
    let own = &it.namespace;
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let alias = format!("*a{}", n - 1);
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![alias; 10].join(", "))?;
    }
    bomb += &marker(&format!("{own}:app"));
    let mut binary = b"\x00\xff\xfe\x80".to_vec();
    binary.extend(marker(&format!("{own}:app")).into_bytes());
    let text = |text: String| Content::from(text.as_str());
    let files = [
        ("bad/binary.yaml", Content::File(binary)),
        ("bad/broken.yaml", text(format!("a: [\n{}", marker(&format!("{own}:app"))))),
        ("bad/other.yaml", text(marker("elsewhere:app"))),
        ("bad/unknown.yaml", text(marker(&format!("{own}:nothing")))),
        ("bad/failing.yaml", text(marker(&format!("{own}:failing")))),
        ("bad/form.yaml", text("image: old # {\"$imagepolicy\": 7}\n".to_owned())),
        ("bomb.yaml", text(bomb)),
        ("good.yaml", text(it.line("1.0.0"))),
    ];
    let repository = fleet(&it, files, &["1.0.0", "1.1.0"]).await?;
    let choice = json!({"semver": {"range": "9.x"}});
    it.create(&it.image_policy("failing", &choice, &json!({}))).await?;
    it.failing("ImagePolicy", "failing", "Failure").await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    ensure!(read(&repository, "main", "good.yaml").await?.contains(":1.1.0 "));
    let event = it.event(AUTOMATION, "fleet", "MarkersNotUpdated").await?;
    assert_eq!(event.kind, "Normal");
    for wanted in [
        "bad/binary.yaml: the file cannot be read",
        "bad/broken.yaml: the file cannot be read",
        "bad/other.yaml:1 elsewhere:app: the image policy is in another namespace",
        &format!("bad/unknown.yaml:1 {own}:nothing: no such image policy in scope"),
        &format!("bad/failing.yaml:1 {own}:failing: the image policy has no image yet"),
        "bad/form.yaml:1",
    ] {
        ensure!(event.message.contains(wanted), "{wanted} is not in {}", event.message);
    }
    // Whatever becomes of a bomb, it is one file among others.
    it.request(AUTOMATION, "fleet").await?;
    let events = it.events(AUTOMATION, "fleet").await?;
    let told = events.iter().filter(|event| event.reason == "MarkersNotUpdated");
    assert_eq!(told.map(|event| event.count).sum::<i64>(), 1, "{events:#?}");
    Ok(())
}

async fn tags_that_are_no_yaml_strings_are_quoted(it: Tenant) -> Result<()> {
    let tags = ["1.10", "20240101", "0x10", "1e3", "true", "null", "yes", "0o7", "1_000", "plain"];
    let mut text = String::new();
    for (index, tag) in tags.iter().enumerate() {
        let name = format!("p{index}");
        it.publish(&name, &[tag]);
        it.create(&it.image_repository(&name, &json!({}))).await?;
        let reference = json!({"imageRepositoryRef": {"name": name}});
        let choice = json!({"alphabetical": {}});
        it.create(&it.image_policy(&name, &choice, &reference)).await?;
        it.ready("ImagePolicy", &name).await?;
        writeln!(text, "{name}: old # {{\"$imagepolicy\": \"{}:{name}:tag\"}}", it.namespace)?;
    }
    let repository = it.files([("a.yaml", text.as_str())]).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    let after = read(&repository, "main", "a.yaml").await?;
    let lines: Vec<&str> = after.lines().collect();
    for (index, (line, tag)) in lines.iter().zip(tags).enumerate() {
        let wanted = if tag == "plain" { tag.to_owned() } else { format!("\"{tag}\"") };
        ensure!(line.starts_with(&format!("p{index}: {wanted} #")), "{line}");
    }
    Ok(())
}

/// A `spec` with a message template.
fn template(text: &str) -> Value {
    json!({"git": {"commit": {"messageTemplate": text, "messageTemplateValues": {"who": "me"}}}})
}

async fn the_message_is_rendered_from_the_changes(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let files = [("apps/a.yaml", line.as_str()), ("apps/b.yaml", &line)];
    let repository = fleet(&it, files, &["1.0.0"]).await?;
    let text = "{{ .AutomationObject }} {{ .Values.who }} {{ .Values.nobody }}\n\
                {{ range $file, $_ := .Changed.FileChanges }}{{ $file }} {{ end }}\n\
                {{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }} {{ .Setter }}{{ end }}";
    it.create(&it.automation("fleet", &template(text))).await?;
    it.ready(AUTOMATION, "fleet").await?;
    it.release("1.1.0").await?;
    pushed(&it, "fleet").await?;
    let (image, own) = (it.image("app"), &it.namespace);
    let message = format!(
        "{own}/fleet me <no value>\napps/a.yaml apps/b.yaml \n{image}:1.0.0 -> {image}:1.1.0 {own}:app"
    );
    assert_eq!(messages(&repository, "main").await?, [message.as_str(), "init"]);
    it.event(AUTOMATION, "fleet", &message).await?;
    let entry = repository.log("main").await?.remove(0);
    assert_eq!(
        (entry.author.as_str(), entry.committer.as_str()),
        ("bot <bot@example.com>", &*entry.author)
    );

    it.patch(
        (AUTOMATION, "fleet"),
        &json!({"spec": {"git": {"commit": {"messageTemplate": null}}}}),
    )
    .await?;
    it.release("1.2.0").await?;
    landed(&it, (&repository, "main", "apps/a.yaml"), ":1.2.0").await?;
    assert_eq!(messages(&repository, "main").await?[0], "Update from image update automation");
    Ok(())
}

async fn older_templates_work_and_are_told(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    let text = "{{ range .Updated.Images }}{{ . }}{{ end }}";
    it.create(&it.automation("fleet", &template(text))).await?;
    pushed(&it, "fleet").await?;
    assert_eq!(messages(&repository, "main").await?[0], format!("{}:1.1.0", it.image("app")));
    let event = it.event(AUTOMATION, "fleet", "DeprecatedTemplateField").await?;
    ensure!(event.message.contains(".Changed.Changes"), "{event:?}");
    Ok(())
}

async fn a_template_without_meaning_fails_and_says_where(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &template("{{ env \"HOME\" }}"))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("\"env\" not defined"), "{why}");
    assert_eq!(messages(&repository, "main").await?, ["init"]);
    it.patch((AUTOMATION, "fleet"), &json!({"spec": template("good")})).await?;
    pushed(&it, "fleet").await?;
    assert_eq!(messages(&repository, "main").await?, ["good", "init"]);
    Ok(())
}

async fn a_push_branch_is_made_and_continued(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({"git": {"push": {"branch": "auto"}}}))).await?;
    let first = pushed(&it, "fleet").await?;
    let main = repository.head("main").await?.context("main is there")?;
    assert_eq!(first["status"]["observedSourceRevision"], format!("main@sha1:{main}"));
    assert_eq!(json!(repository.head("auto").await?), first["status"]["lastPushCommit"]);
    it.release("1.2.0").await?;
    landed(&it, (&repository, "auto", "a.yaml"), ":1.2.0").await?;
    assert_eq!(messages(&repository, "auto").await?.len(), 3, "it goes on from the first commit");
    assert_eq!(repository.head("main").await?, Some(main));
    // The branch was merged away: it begins again at main.
    repository.git(["update-ref", "-d", "refs/heads/auto"]).await?;
    it.request(AUTOMATION, "fleet").await?;
    assert_eq!(messages(&repository, "auto").await?.len(), 2);
    no_warnings(&it, "fleet").await
}

async fn a_refspec_is_pushed_as_well(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    let push = json!({"branch": "auto", "refspec": "refs/heads/auto:refs/heads/copy",
                      "options": {"ci.skip": "", "topic": "images"}});
    it.create(&it.automation("fleet", &json!({"git": {"push": push}}))).await?;
    pushed(&it, "fleet").await?;
    let branches = repository.branches().await?;
    ensure!(branches.contains_key("auto") && branches.get("auto") == branches.get("copy"));
    let options = it.world.git.push_options();
    ensure!(
        options.contains(&vec!["ci.skip".to_owned(), "topic=images".to_owned()]),
        "{options:?}"
    );
    it.event(
        AUTOMATION,
        "fleet",
        "to branch 'auto' and refspecs 'refs/heads/auto:refs/heads/copy'",
    )
    .await?;
    Ok(())
}

async fn a_refspec_of_the_branch_itself_is_an_error(it: Tenant) -> Result<()> {
    fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    let push = json!({"branch": "main", "refspec": "refs/heads/main:refs/heads/main"});
    it.create(&it.automation("fleet", &json!({"git": {"push": push}}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("already up-to-date"), "{why}");
    Ok(())
}

async fn the_status_tells_what_was_seen_and_pushed(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let status = pushed(&it, "fleet").await?["status"].clone();
    let head = repository.head("main").await?.context("main is there")?;
    assert_eq!(status["lastPushCommit"], head);
    assert_eq!(status["observedSourceRevision"], format!("main@sha1:{head}"));
    assert_eq!(
        status["observedPolicies"],
        json!({"app": {"name": it.image("app"), "tag": "1.1.0"}})
    );
    ensure!(status["lastAutomationRunTime"].is_string());
    it.event(AUTOMATION, "fleet", &format!("pushed commit '{}' to branch 'main'", &head[..7]))
        .await?;
    let after = it.request(AUTOMATION, "fleet").await?["status"].clone();
    assert_eq!(after["lastPushTime"], status["lastPushTime"]);
    it.event(AUTOMATION, "fleet", "no change since last reconciliation").await?;
    Ok(())
}

async fn a_tag_or_commit_needs_a_push_branch(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    let head = repository.head("main").await?.context("main is there")?;
    repository.tag("v1", &head, None).await?;
    for (name, reference) in [("tag", json!({"tag": "v1"})), ("commit", json!({"commit": head}))] {
        let checkout = json!({"git": {"checkout": {"ref": reference}}});
        it.create(&it.automation(name, &checkout)).await?;
        let why = it.failing(AUTOMATION, name, "SourceManagerFailed").await?;
        ensure!(why.contains("push spec not provided, and cannot be inferred"), "{why}");
        let branch = json!({"spec": {"git": {"push": {"branch": name}}}});
        it.patch((AUTOMATION, name), &branch).await?;
        pushed(&it, name).await?;
        ensure!(read(&repository, name, "a.yaml").await?.contains(":1.1.0 "));
    }
    Ok(())
}

async fn paths_stay_in_the_repository(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let files = [("apps/a.yaml", line.as_str()), ("other/a.yaml", &line), ("apps2/a.yaml", &line)];
    let repository = fleet(&it, files, &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({"update": {"path": "../../other/../apps"}}))).await?;
    pushed(&it, "fleet").await?;
    ensure!(read(&repository, "main", "apps/a.yaml").await?.contains(":1.1.0 "));
    assert_eq!(read(&repository, "main", "other/a.yaml").await?, line);
    assert_eq!(read(&repository, "main", "apps2/a.yaml").await?, line);
    it.patch((AUTOMATION, "fleet"), &json!({"spec": {"update": {"path": "./missing"}}})).await?;
    it.release("1.2.0").await?;
    let why = it.failing(AUTOMATION, "fleet", "UpdateFailed").await?;
    ensure!(why.starts_with("failed to apply policies: ") && why.contains("missing"), "{why}");
    it.patch((AUTOMATION, "fleet"), &json!({"spec": {"update": {"path": "../.."}}})).await?;
    landed(&it, (&repository, "main", "other/a.yaml"), ":1.2.0").await
}

async fn links_are_kept_and_not_followed(it: Tenant) -> Result<()> {
    let link = |target: &str| Content::Symlink(target.to_owned());
    let files = [
        ("apps/a.yaml", Content::from(it.line("1.0.0").as_str())),
        ("apps/out.yaml", link("/etc/passwd")),
        ("apps/up.yaml", link("../../../../etc/passwd")),
        ("apps/self.yaml", link("self.yaml")),
        ("apps/same.yaml", link("a.yaml")),
        ("apps/loop", link("..")),
        ("linked", link("apps")),
    ];
    let repository = fleet(&it, files, &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    let changed = repository.git(["diff", "--name-only", "main~1", "main"]).await?;
    assert_eq!(changed.trim(), "apps/a.yaml");
    let mode = repository.git(["ls-tree", "main", "apps/same.yaml"]).await?;
    ensure!(mode.starts_with("120000"), "{mode}");
    Ok(())
}

async fn two_automations_on_one_branch_both_land(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let repository =
        fleet(&it, [("a/a.yaml", line.as_str()), ("b/b.yaml", &line)], &["1.0.0"]).await?;
    for name in ["a", "b"] {
        it.create(&it.automation(name, &json!({"update": {"path": name}}))).await?;
    }
    for name in ["a", "b"] {
        it.ready(AUTOMATION, name).await?;
    }
    for tag in ["1.1.0", "1.2.0"] {
        it.release(tag).await?;
        for path in ["a/a.yaml", "b/b.yaml"] {
            landed(&it, (&repository, "main", path), &format!(":{tag} ")).await?;
        }
    }
    assert_eq!(messages(&repository, "main").await?.len(), 5);
    no_warnings(&it, "a").await?;
    no_warnings(&it, "b").await
}

async fn a_chosen_image_is_committed_at_once(it: Tenant) -> Result<()> {
    let repository = fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    it.ready(AUTOMATION, "fleet").await?;
    // The interval is an hour: only the policy can have been the reason.
    it.release("1.1.0").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

async fn policies_are_selected_by_label(it: Tenant) -> Result<()> {
    let own = &it.namespace;
    let other = format!("image: old # {{\"$imagepolicy\": \"{own}:other\"}}\n");
    let files = [("a.yaml", it.line("1.0.0")), ("b.yaml", other.clone())];
    let given = files.iter().map(|(path, text)| (*path, text.as_str()));
    let repository = fleet(&it, given, &["1.0.0", "1.1.0"]).await?;
    it.create(&it.image_policy("other", &json!({"semver": {"range": "*"}}), &json!({}))).await?;
    it.ready("ImagePolicy", "other").await?;
    it.patch(("ImagePolicy", "app"), &json!({"metadata": {"labels": {"team": "blue"}}})).await?;
    let select = json!({"policySelector": {"matchExpressions": [
        {"key": "team", "operator": "In", "values": ["blue", "red"]},
    ]}});
    it.create(&it.automation("fleet", &select)).await?;
    let fleet = pushed(&it, "fleet").await?;
    assert_eq!(read(&repository, "main", "b.yaml").await?, other);
    let observed = fleet["status"]["observedPolicies"].as_object().map(serde_json::Map::len);
    assert_eq!(observed, Some(1));
    Ok(())
}

async fn a_suspended_automation_leaves_the_repository_alone(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("asleep", &json!({"suspend": true}))).await?;
    // Another one that runs later, on another branch, shows that there was time to.
    it.create(&it.automation("awake", &json!({"git": {"push": {"branch": "auto"}}}))).await?;
    pushed(&it, "awake").await?;
    assert_eq!(messages(&repository, "main").await?, ["init"]);
    it.patch((AUTOMATION, "asleep"), &json!({"spec": {"suspend": false}})).await?;
    pushed(&it, "asleep").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

async fn a_repository_without_commits_is_waited_for(it: Tenant) -> Result<()> {
    let repository = it.world.git.create_empty(&it.repository_name(), "main").await?;
    it.app(&["1.0.0", "1.1.0"]).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("empty"), "{why}");
    it.event(AUTOMATION, "fleet", &why).await?;
    repository.commit("main", [("a.yaml", it.line("1.0.0").as_str())], "first").await?;
    pushed(&it, "fleet").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

async fn a_repository_may_go_and_come_back(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let repository = fleet(&it, [("a.yaml", line.as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    repository.remove().await?;
    it.release("1.2.0").await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("repository"), "{why}");
    let repository = it.files([("new.yaml", line.as_str())]).await?;
    landed(&it, (&repository, "main", "new.yaml"), ":1.2.0").await?;
    it.ready(AUTOMATION, "fleet").await?;
    Ok(())
}

async fn a_rewritten_branch_is_updated_again(it: Tenant) -> Result<()> {
    let line = it.line("1.0.0");
    let repository = fleet(&it, [("a.yaml", line.as_str())], &["1.0.0", "1.1.0"]).await?;
    let init = repository.head("main").await?.context("main is there")?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    repository.set_branch("main", &init).await?;
    let other = repository.commit("main", [("b.yaml", line.as_str())], "instead").await?;
    it.request(AUTOMATION, "fleet").await?;
    for path in ["a.yaml", "b.yaml"] {
        landed(&it, (&repository, "main", path), ":1.1.0").await?;
    }
    assert_eq!(repository.git(["rev-parse", "main~1"]).await?.trim(), other);
    no_warnings(&it, "fleet").await
}

async fn a_missing_source_is_named_and_waited_for(it: Tenant) -> Result<()> {
    let repository = it.files([("a.yaml", it.line("1.0.0").as_str())]).await?;
    it.app(&["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "SourceManagerFailed").await?;
    ensure!(why.contains("\"fleet\" not found"), "{why}");
    it.create(&it.git_repository(&json!({"ref": {"branch": "nowhere"}}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("nowhere"), "{why}");
    it.patch(("GitRepository", "fleet"), &json!({"spec": {"ref": {"branch": "main"}}})).await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

async fn a_git_repository_of_another_namespace_is_used(it: Tenant) -> Result<()> {
    let repository =
        fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    let other = it.world.tenant(&format!("{}-2", it.namespace)).await?;
    it.delete(("GitRepository", "fleet")).await?;
    let url = it.world.git.repository_url(&it.repository_name());
    other.create(&other.git_repository(&json!({"url": url}))).await?;
    let source = json!({"sourceRef": {"namespace": other.namespace}});
    it.create(&it.automation("fleet", &source)).await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

async fn what_cannot_work_stalls(it: Tenant) -> Result<()> {
    fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0"]).await?;
    let selector = json!({"matchExpressions": [{"key": "a", "operator": "Bogus"}]});
    for (name, spec, reason) in [
        ("no-git", json!({"git": null}), "InvalidSourceConfiguration"),
        ("selector", json!({"policySelector": selector}), "InvalidPolicySelector"),
    ] {
        it.create(&it.automation(name, &spec)).await?;
        it.failing(AUTOMATION, name, reason).await?;
        let automation = it.get((AUTOMATION, name)).await.unwrap_or_default();
        assert_eq!(condition(&automation, "Stalled")["status"], "True");
    }
    for (spec, part) in [
        (json!({"interval": null}), "spec.interval"),
        (json!({"sourceRef": {"kind": "Bucket"}}), "spec.sourceRef.kind"),
        (json!({"update": {"strategy": "Guess"}}), "spec.update.strategy"),
        (json!({"git": {"commit": {"author": {"email": null}}}}), "author.email"),
    ] {
        let why = it.refused(&it.automation("bad", &spec)).await?;
        ensure!(why.contains(part), "{spec}: {why}");
    }
    Ok(())
}

async fn a_deleted_automation_leaves_no_finalizer(it: Tenant) -> Result<()> {
    fleet(&it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let fleet = it.ready(AUTOMATION, "fleet").await?;
    assert_eq!(fleet["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    it.delete((AUTOMATION, "fleet")).await
}
