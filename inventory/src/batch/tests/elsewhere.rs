//! Batches between two servers, and what they are trusted with.

use super::*;

const SECRET: &str = "hunter2hunter2";

pub(super) const PUSH: &str = "replicate:\n  apiVersion: v1\n  source: {bucket: a}\n  target:\n    bucket: far\n    prefix: copies\n    endpoint: https://far.example.com\n    credentials: {accessKey: ACCESS, secretKey: hunter2hunter2}\n  flags:\n    filter: {name: '*.log'}\n    notify: {endpoint: 'https://told.example.com', token: hunter2token}\n  report: {bucket: reports, prefix: done}\n";
pub(super) const PULL: &str = "replicate:\n  apiVersion: v1\n  source:\n    bucket: far\n    endpoint: https://far.example.com\n    credentials: {accessKey: ACCESS, secretKey: hunter2hunter2}\n  target: {bucket: b}\n  flags:\n    filter: {tags: [{key: ending, value: log}]}\n  report: {bucket: reports, prefix: done}\n";

/// Another server, whose buckets are those of the disk that begin with `far`.
pub(super) struct Elsewhere(pub(super) Arc<Disk>);

fn opened(secret: &Secret, purpose: &str) -> Option<String> {
    match secret {
        Secret::Sealed(sealed) => {
            let sealed: String = sealed.chars().rev().collect();
            sealed.strip_prefix(purpose).map(str::to_owned)
        }
        Secret::Given(_) | Secret::Kept => None,
    }
}

#[async_trait]
impl Outside for Elsewhere {
    fn check(&self, url: &str) -> Result<(), String> {
        if url.starts_with("http") { Ok(()) } else { Err("the URL begins with http".into()) }
    }

    fn seal(&self, secret: &str, purpose: &str) -> Result<String, String> {
        Ok(format!("{purpose}{secret}").chars().rev().collect())
    }

    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Remote>, ItemError> {
        let secret = opened(&endpoint.secret_key, &endpoint.key_purpose());
        match secret.as_deref() == Some(SECRET) {
            true => Ok(Arc::new(Self(self.0.clone()))),
            false => Err(failed("AccessDenied", 403, false)),
        }
    }

    async fn tell(&self, notify: &Notify, event: &Value) -> Result<(), String> {
        let token = notify.token.as_ref().and_then(|token| opened(token, &notify.purpose()));
        self.0.told.lock().unwrap().push((token.unwrap_or_default(), event.clone()));
        Ok(())
    }
}

impl Elsewhere {
    async fn replicate(&self, from: Item<'_>, to: Item<'_>, there: There) -> Result<Replicated, ItemError> {
        tokio::task::yield_now().await;
        let key = |item: Item<'_>| (item.bucket.to_owned(), item.key.to_owned());
        let mut objects = self.0.objects.lock().unwrap();
        let content = objects.get(&key(from)).copied().ok_or_else(|| failed("NoSuchKey", 404, false))?;
        if there == There::Kept && objects.get(&key(to)) == Some(&content) {
            return Ok(Replicated::Found);
        }
        objects.insert(key(to), content);
        *self.0.done.lock().unwrap().entry(to.key.to_owned()).or_default() += 1;
        Ok(Replicated::Copied)
    }
}

#[async_trait]
impl Remote for Elsewhere {
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<Page, ItemError> {
        tokio::task::yield_now().await;
        let objects = self.0.objects.lock().unwrap();
        let of_bucket = objects.iter().filter(|((of, _), _)| of == bucket);
        let behind = of_bucket
            .filter(|((_, key), _)| key.starts_with(prefix) && after.is_none_or(|after| &**key > after));
        let all: Vec<Listed> = behind
            .map(|((_, key), content)| Listed {
                key: key.clone(),
                etag: tag(*content).to_string(),
                size: *content,
                modified_ms: 0,
            })
            .collect();
        Ok(Page { is_last: all.len() <= 11, objects: all.into_iter().take(11).collect() })
    }

    async fn attributes(&self, _: &str, key: &str) -> Result<ObjectAttributes, ItemError> {
        let tags = vec![("ending".to_owned(), key.rsplit('.').next().unwrap_or_default().to_owned())];
        Ok(ObjectAttributes { tags, ..ObjectAttributes::default() })
    }

    async fn push(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        _: Carried,
    ) -> Result<Replicated, ItemError> {
        self.replicate(from, to, there).await
    }

    async fn pull(
        &self,
        from: Item<'_>,
        to: Item<'_>,
        there: There,
        _: Carried,
    ) -> Result<Replicated, ItemError> {
        self.replicate(from, to, there).await
    }
}

#[tokio::test]
async fn over_kills_objects_go_to_another_server_and_come_from_one_whole() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for (yaml, bucket, prefix) in [(PUSH, "far", "copies/"), (PULL, "b", "")] {
        let world = World::new(named(300));
        if yaml == PULL {
            let mut objects = world.disk.objects.lock().unwrap();
            *objects = std::mem::take(&mut *objects)
                .into_iter()
                .map(|((_, key), content)| (("far".to_owned(), key), content))
                .collect();
        }
        let (run, jobs) = over_kills(&world, yaml, &mut random).await;
        assert_eq!(run.state, RunState::Completed, "seed {seed}: {:?}", run.last_errors);
        let wanted: Vec<String> = named(300).filter(|key| key.ends_with(".log")).collect();
        let told: Vec<String> = world.rows(run.id).await.into_iter().map(|row| row.0).collect();
        assert_eq!(told, wanted, "seed {seed}");
        let copies = world.keys(bucket);
        let is_copy = |key: &String| copies.contains(&format!("{prefix}{key}"));
        assert!(copies.len() == wanted.len() && wanted.iter().all(is_copy), "seed {seed}: {copies:?}");
        assert!(world.disk.done.lock().unwrap().values().all(|times| *times == 1), "seed {seed}");
        if yaml == PUSH {
            let (token, event) = world.disk.told.lock().unwrap().last().cloned().unwrap();
            assert_eq!(
                (&*token, &event["end"], &event["outcome"]["tasks"]),
                ("hunter2token", &json!("completed"), &json!(150))
            );
        }
        jobs.kill().await;
    }
}

#[tokio::test]
async fn secrets_are_kept_sealed_shown_to_nobody_and_stay_when_a_batch_is_put_back() {
    let world = World::new(named(4));
    let (_catalog, jobs) = world.start().await;
    let mut put = new("r", PUSH);
    put.enabled = false;
    let shown = jobs.put(put, Put::Create, root()).await.unwrap();
    let text = json!([shown, jobs.get("r"), jobs.list()]).to_string();
    assert!(!text.contains("hunter2") && !text.contains("nekot2retnuh"), "{text}");
    assert!(shown.spec["written"].as_str().unwrap().contains("secretKey: (kept)"), "{text}");

    let back = |spec: &Value, enabled: bool| -> NewDefinition {
        let enabled = json!(enabled);
        serde_json::from_value(json!({"name": "r", "kind": "batch", "spec": spec, "enabled": enabled}))
            .unwrap()
    };
    let other = Author { key: Some("OTHER".into()), fingerprint: None };
    let refused = jobs.put(back(&shown.spec, true), Put::Any, other).await.unwrap_err().to_string();
    assert!(refused.contains("credentials.secretKey: it was left out"), "{refused}");
    let moved = shown.spec.to_string().replace("far.example.com", "evil.example.com");
    let moved = back(&serde_json::from_str(&moved).unwrap(), true);
    let refused = jobs.put(moved, Put::Any, root()).await.unwrap_err().to_string();
    assert!(refused.contains("with the same address and access key"), "{refused}");
    let yaml = json!({"yaml": shown.spec["written"]});
    jobs.put(back(&yaml, false), Put::Any, root()).await.unwrap();
    jobs.put(back(&shown.spec, true), Put::Any, root()).await.unwrap();
    let run = end_of(&jobs, "r").await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.last_errors);
    assert!(!json!(jobs.runs(None)).to_string().contains("hunter2"));

    let everywhere = world.log.list(None).map_ok(|file| file.location);
    let files: Vec<Path> = everywhere.try_collect().await.unwrap();
    for file in files {
        let bytes = world.log.get(&file).await.unwrap().bytes().await.unwrap();
        let found = bytes.windows(7).any(|window| window == b"hunter2");
        assert!(!found, "{file} has a secret in the clear");
    }
    let escaped = PUSH.replace("secretKey: hunter2hunter2", "secretKey: \"hunter2\\x68unter2\"");
    let made = jobs.put(new("e", &escaped), Put::Create, root()).await.unwrap();
    assert!(made.spec.get("written").is_none(), "what cannot be taken out for sure is not kept: {made:?}");
}
