//! What the simulator plays.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{Stage, condition, job, reason, workload};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";
const STATEFUL: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const DAEMONS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const CRONS: &str = "/apis/batch/v1/namespaces/default/cronjobs";
const PODS: &str = "/api/v1/namespaces/default/pods";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

fn at(collection: &str, name: &str) -> String {
    format!("{collection}/{name}")
}

fn rolled_out(deployment: &Value) -> bool {
    deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
        && reason(deployment, "Progressing") == "NewReplicaSetAvailable"
        && condition(deployment, "Available", "True")
}

fn complete(set: &Value) -> bool {
    let status = &set["status"];
    status["observedGeneration"] == set["metadata"]["generation"]
        && status["currentRevision"] == status["updateRevision"]
        && status["readyReplicas"] == set["spec"]["replicas"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_rolled_out_and_back() {
    let stage = Stage::embedded();
    stage
        .create(DEPLOYMENTS, workload("Deployment", "web", "ready", &json!({"replicas": 3})))
        .await;
    let path = at(DEPLOYMENTS, "web");
    let web = stage.until(&path, rolled_out).await;
    assert_eq!(web["status"]["readyReplicas"], 3);
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let image = |tag: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": tag}]}}}});
    stage.merge(&path, image("app:2")).await;
    stage.until(&path, |web| rolled_out(web) && web["status"]["replicas"] == 3).await;
    let sets = stage.list(SETS).await;
    assert_eq!(sets.len(), 2, "the old template is kept");
    stage.merge(&path, image("app:1")).await;
    let web = stage.until(&path, |web| rolled_out(web) && web["status"]["replicas"] == 3).await;
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!(stage.list(SETS).await.len(), 2, "an old template is used again");
    stage.delete(&path).await;
    stage.until(PODS, |pods| pods["items"].as_array().is_some_and(Vec::is_empty)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_hangs_misses_its_deadline_and_keeps_the_old() {
    let stage = Stage::embedded();
    let path = at(DEPLOYMENTS, "web");
    let spec = json!({"replicas": 2, "progressDeadlineSeconds": 60});
    stage.create(DEPLOYMENTS, workload("Deployment", "web", "ready", &spec)).await;
    stage.until(&path, rolled_out).await;
    let hang = json!({"spec": {"template": {"metadata": {"annotations": {
        world::simulator::BEHAVIOUR: "hang"}}}}});
    stage.merge(&path, hang).await;
    let web = stage.until(&path, |web| web["status"]["updatedReplicas"] == 1).await;
    assert_eq!(web["status"]["availableReplicas"], 2, "the old ones stay");
    assert!(!condition(&web, "Progressing", "False"));
    stage
        .until(PODS, |pods| {
            pods["items"].as_array().is_some_and(|all| {
                all.iter().filter(|it| it["status"]["phase"] == "Running").count() == 3
            })
        })
        .await;
    stage.clock.advance(Duration::from_secs(61));
    let web = stage.until(&path, |web| condition(web, "Progressing", "False")).await;
    assert_eq!(reason(&web, "Progressing"), "ProgressDeadlineExceeded");
    assert!(condition(&web, "Available", "True"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_behave_as_their_script_says() {
    let stage = Stage::embedded();
    let pod = |name: &str, behaviour: &str| {
        json!({"metadata": {"name": name, "annotations": {world::simulator::BEHAVIOUR: behaviour}},
            "spec": {"containers": [{"name": "main", "image": "app:1"}]}})
    };
    let scripts = [
        ("slow", "after=30s"),
        ("stuck", "hang"),
        ("broken", "fail"),
        ("imageless", "fail=ImagePullBackOff"),
        ("homeless", "pending"),
        ("misread", "redy"),
        ("later", "ready,after=1m,fail=OOMKilled"),
    ];
    for (name, behaviour) in scripts {
        stage.create(PODS, pod(name, behaviour)).await;
    }
    let ready = |pod: &Value| condition(pod, "Ready", "True");
    let waits = |pod: &Value, why: &str| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == why
    };
    stage.until(&at(PODS, "slow"), |pod| waits(pod, "ContainerCreating")).await;
    stage.until(&at(PODS, "stuck"), |pod| pod["status"]["phase"] == "Running" && !ready(pod)).await;
    let broken = stage.until(&at(PODS, "broken"), |pod| waits(pod, "CrashLoopBackOff")).await;
    assert_eq!(broken["status"]["containerStatuses"][0]["restartCount"], 1);
    let imageless = stage.until(&at(PODS, "imageless"), |pod| waits(pod, "ImagePullBackOff")).await;
    assert_eq!(imageless["status"]["phase"], "Pending");
    stage.until(&at(PODS, "homeless"), |pod| reason(pod, "PodScheduled") == "Unschedulable").await;
    let misread =
        stage.until(&at(PODS, "misread"), |pod| condition(pod, "PodScheduled", "False")).await;
    assert!(misread.to_string().contains("is no step"), "{misread}");
    stage.until(&at(PODS, "later"), ready).await;
    stage.clock.advance(Duration::from_secs(30));
    stage.until(&at(PODS, "slow"), ready).await;
    stage.clock.advance(Duration::from_secs(31));
    let later = stage.until(&at(PODS, "later"), |pod| !ready(pod)).await;
    assert_eq!(later["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 137);
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_is_inherited_from_owners_and_namespaces() {
    let stage = Stage::embedded();
    let mut web = workload("Deployment", "web", "", &json!({}));
    web["spec"]["template"]["metadata"]["annotations"] = json!({});
    web["metadata"]["annotations"] = json!({world::simulator::BEHAVIOUR: "fail"});
    stage.create(DEPLOYMENTS, web.clone()).await;
    let failed = |list: &Value| {
        list["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
            == "CrashLoopBackOff"
    };
    stage.until(PODS, failed).await;
    let other = json!({"metadata": {"name": "other", "annotations": {world::simulator::BEHAVIOUR: "fail"}}});
    stage.create("/api/v1/namespaces", other).await;
    web["metadata"]["annotations"] = json!({});
    stage.create("/apis/apps/v1/namespaces/other/deployments", web).await;
    stage.until("/api/v1/namespaces/other/pods", failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_goes_one_by_one() {
    let stage = Stage::embedded();
    let spec = json!({"replicas": 3, "serviceName": "db", "volumeClaimTemplates": [{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]});
    stage.create(STATEFUL, workload("StatefulSet", "db", "after=5s", &spec)).await;
    for ready in 0..3 {
        stage
            .until(&at(PODS, &format!("db-{ready}")), |pod| pod["status"]["startTime"].is_string())
            .await;
        assert_eq!(stage.list(PODS).await.len(), ready + 1, "the next one waits");
        stage.clock.advance(Duration::from_secs(6));
    }
    stage.until(&at(STATEFUL, "db"), complete).await;
    let claims = stage.list(CLAIMS).await;
    let names: Vec<_> = claims.iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["data-db-0", "data-db-1", "data-db-2"]);
    stage.until(&at(CLAIMS, "data-db-2"), |claim| claim["status"]["phase"] == "Bound").await;
    let update = json!({"spec": {"replicas": 2, "template": {"metadata": {"annotations": {world::simulator::BEHAVIOUR: "ready"}}}}});
    stage.merge(&at(STATEFUL, "db"), update).await;
    stage.until(&at(STATEFUL, "db"), |db| complete(db) && db["status"]["replicas"] == 2).await;
    assert_eq!(stage.list(PODS).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_is_on_every_node() {
    let stage = Stage::embedded();
    stage.create(DAEMONS, workload("DaemonSet", "agent", "ready", &json!({}))).await;
    let path = at(DAEMONS, "agent");
    stage.until(&path, |it| it["status"]["numberAvailable"] == 1).await;
    let update = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "app:2"}]}}}});
    stage.merge(&path, update).await;
    stage
        .until(&path, |it| {
            it["status"]["observedGeneration"] == 2
                && it["status"]["updatedNumberScheduled"] == 1
                && it["status"]["numberAvailable"] == 1
        })
        .await;
    assert_eq!(stage.list(PODS).await[0]["spec"]["containers"][0]["image"], "app:2");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_succeed_fail_and_are_late() {
    let stage = Stage::embedded();
    stage.create(JOBS, job("good", "ready", &json!({"completions": 3, "parallelism": 2}))).await;
    let good = stage.until(&at(JOBS, "good"), |it| condition(it, "Complete", "True")).await;
    assert_eq!(good["status"]["succeeded"], 3);
    stage.create(JOBS, job("bad", "fail", &json!({"backoffLimit": 1}))).await;
    let bad = stage.until(&at(JOBS, "bad"), |it| condition(it, "Failed", "True")).await;
    assert_eq!(
        (reason(&bad, "Failed").as_str(), &bad["status"]["failed"]),
        ("BackoffLimitExceeded", &json!(2))
    );
    stage
        .create(
            JOBS,
            job(
                "late",
                "hang",
                &json!({"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 10}),
            ),
        )
        .await;
    stage.until(&at(JOBS, "late"), |it| it["status"]["active"] == 1).await;
    stage.clock.advance(Duration::from_secs(61));
    let late = stage.until(&at(JOBS, "late"), |it| condition(it, "Failed", "True")).await;
    assert_eq!(reason(&late, "Failed"), "DeadlineExceeded");
    stage.clock.advance(Duration::from_secs(11));
    stage.until(&at(JOBS, "late"), Value::is_null).await;
    let indexed = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"});
    stage.create(JOBS, job("indexed", "ready", &indexed)).await;
    let indexed = stage.until(&at(JOBS, "indexed"), |it| condition(it, "Complete", "True")).await;
    assert_eq!(indexed["status"]["completedIndexes"], "0,1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cron_job_follows_its_schedule() {
    let stage = Stage::embedded();
    let template = job("", "ready", &json!({}))["spec"].clone();
    let cron = json!({"metadata": {"name": "tick"}, "spec": {
        "schedule": "0 * * * *", "successfulJobsHistoryLimit": 1, "jobTemplate": {"spec": template}}});
    stage.create(CRONS, cron).await;
    let mut last = Value::Null;
    for _ in 0..3 {
        // Its creation must be known before the clock jumps over what is due.
        stage.clock.advance(Duration::from_hours(1));
        let path = at(CRONS, "tick");
        let tick = stage.until(&path, |it| {
            it["status"]["lastScheduleTime"] != last
                && it["status"]["active"].is_null()
                && it["status"]["lastSuccessfulTime"].is_string()
        });
        last = tick.await["status"]["lastScheduleTime"].clone();
    }
    stage.until(JOBS, |list| list["items"].as_array().is_some_and(|all| all.len() == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_simulator_goes_on_where_one_ended() {
    let mut stage = Stage::embedded();
    stage
        .create(DEPLOYMENTS, workload("Deployment", "web", "after=10s", &json!({"replicas": 2})))
        .await;
    stage
        .until(PODS, |pods| {
            pods["items"].as_array().is_some_and(|all| {
                all.len() == 2 && all.iter().all(|it| it["status"]["startTime"].is_string())
            })
        })
        .await;
    stage.simulator.take().unwrap().stop().await;
    stage.clock.advance(Duration::from_secs(11));
    stage.simulate(true, Arc::new(stage.clock.clone()));
    stage.until(&at(DEPLOYMENTS, "web"), rolled_out).await;
    assert_eq!(stage.list(PODS).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_addresses() {
    let stage = Stage::embedded();
    let service = json!({"metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
    stage.create("/api/v1/namespaces/default/services", service).await;
    let path = "/api/v1/namespaces/default/services/lb";
    stage.until(path, |it| it["status"]["loadBalancer"]["ingress"][0]["ip"].is_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plays_the_kubelet_beside_a_controller_manager() {
    let Some(stage) = Stage::kubernetes("simulator beside kube-controller-manager").await else {
        return;
    };
    stage
        .create(DEPLOYMENTS, workload("Deployment", "web", "ready", &json!({"replicas": 2})))
        .await;
    let spec = json!({"replicas": 2, "serviceName": "db", "volumeClaimTemplates": [{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]});
    stage.create(STATEFUL, workload("StatefulSet", "db", "after=1s", &spec)).await;
    stage.create(DAEMONS, workload("DaemonSet", "agent", "ready", &json!({}))).await;
    stage.create(JOBS, job("good", "ready", &json!({}))).await;
    stage.create(JOBS, job("bad", "fail", &json!({"backoffLimit": 0}))).await;
    stage.until(&at(DEPLOYMENTS, "web"), rolled_out).await;
    stage.until(&at(STATEFUL, "db"), complete).await;
    stage.until(&at(DAEMONS, "agent"), |it| it["status"]["numberAvailable"] == 1).await;
    stage.until(&at(JOBS, "good"), |it| condition(it, "Complete", "True")).await;
    let bad = stage.until(&at(JOBS, "bad"), |it| condition(it, "Failed", "True")).await;
    assert_eq!(reason(&bad, "Failed"), "BackoffLimitExceeded");
    stage.until(&at(CLAIMS, "data-db-0"), |it| it["status"]["phase"] == "Bound").await;
    stage.delete(&at(DEPLOYMENTS, "web")).await;
    let gone = |pods: &Value| {
        pods["items"]
            .as_array()
            .is_some_and(|all| all.iter().all(|it| it["metadata"]["labels"]["app"] != "web"))
    };
    stage.until(PODS, gone).await;
}
