//! Long-running operations: the scenarios of the public test server for them, by their numbers in the conformance table, and our own;
//! then what takes time: waits, deadlines, progress, and following in another process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::scene::{ARM, Outcome, Scene, binding, config, intent, write};
use crate::act::Effect;
use crate::clock::{Clock, VirtualClock};
use crate::journal::{Journal, State};
use crate::operation::Handle;
use crate::scripted::{Reply, Script};
use crate::transport::Breakage;
use crate::watch::{Ending, PollInterval, Progress, Watch};
use crate::{ClientConfig, ErrorKind, JournalError};
use restable_spec::{FinalState, HttpMethod};

/// One line a scenario: number | method | answers | requests | end. An answer is its status, then its headers as letters, then its
/// body. `A` names `/status` as the monitor, `L`, `B` and `G` name `/result`, `/other` and `/garbage` as the location; `F` and `f` name
/// `/foo` as either; `0` is `Retry-After: 0`, `b` is `Retry-After: /bar`. `=State` is a resource in that provisioning state,
/// `~Status` the status of an operation, `!` an error. `6*` repeats an answer.
const SCENARIOS: &str = r#"
1 | PUT | 200 - =Succeeded | PUT /x | Done 200 =Succeeded
2 | PUT | 201 - =Succeeded | PUT /x | Done 201 =Succeeded
3 | PUT | 200 - {} | PUT /x | Done 200 {}
4 | PUT | 202 L ; 200 - {} | PUT /x, GET /result | Location {}
5 | PUT | 201 - =Creating ; 200 - =Succeeded | PUT /x, GET /x | Resource =Succeeded
6 | PUT | 200 - =Updating ; 200 - =Succeeded | PUT /x, GET /x | Resource =Succeeded
7 | PUT | 201 - =Created ; 200 - =Failed | PUT /x, GET /x | Failed the operation failed, and the service does not say why
8 | PUT | 200 - =Accepted ; 200 - =Canceled | PUT /x, GET /x | Canceled the operation was canceled, and the service does not say why
9 | PUT | 200 A0 =Creating ; 202 0 ~Accepted ; 200 - ~Succeeded ; 200 - =Succeeded | PUT /x, GET /status, GET /status, GET /x | Resource =Succeeded
10 | PUT | 200 A =Creating ; 200 - ~Succeeded ; 200 - =Succeeded | PUT /x, GET /status, GET /x | Resource =Succeeded
11 | PUT | 200 A =Creating ; 200 - {"status":"Failed","error":{"code":"Broken","message":"disk is full"}} | PUT /x, GET /status | Failed Broken: disk is full
12 | PUT | 200 A =Creating ; 200 - ~canceled | PUT /x, GET /status | Canceled the operation was canceled, and the service does not say why
13 | PUT | 202 L ; 202 ; 200 - {} | PUT /x, GET /result, GET /result | Location {}
14 | PUT | 201 AG =Creating ; 200 - ~InProgress ; 200 G ~Succeeded ; 200 - =Succeeded | PUT /x, GET /status, GET /status, GET /x | Resource =Succeeded
15 | PUT | 202 L ; 200 - {"id":"sub"} | PUT /x, GET /result | Location {"id":"sub"}
16 | PUT | 202 AG ; 200 - ~Succeeded ; 200 - {} | PUT /x, GET /status, GET /x | Resource {}
17 | PUT | 202 L ; 200 - {"sku":1} | PUT /x, GET /result | Location {"sku":1}
18 | PUT | 202 A ; 200 - ~Succeeded ; 200 - {"sku":1} | PUT /x, GET /status, GET /x | Resource {"sku":1}
19 | PATCH | 200 A =Succeeded | PATCH /x | Done 200 =Succeeded
20 | PATCH | 201 A =Creating ; 200 - ~Accepted ; 200 - ~Succeeded ; 200 - =Succeeded | PATCH /x, GET /status, GET /status, GET /x | Resource =Succeeded
21 | PATCH | 202 AL =Succeeded ; 200 - ~Succeeded ; 200 - =Succeeded | PATCH /x, GET /status, GET /x | Resource =Succeeded
22, 74 | DELETE | 204 | DELETE /x | Absent
23 | DELETE | 202 L0 ; 200 - {} | DELETE /x, GET /result | Location {}
24 | DELETE | 202 L ; 204 | DELETE /x, GET /result | Location nothing
25 | DELETE | 202 L ; 202 ; 204 | DELETE /x, GET /result, GET /result | Location nothing
26 | DELETE | 202 AG ; 202 - ~InProgress ; 200 G ~Succeeded | DELETE /x, GET /status, GET /status | Monitor nothing
27-28 | DELETE | 202 A ; 200 - ~Succeeded | DELETE /x, GET /status | Monitor nothing
29 | DELETE | 202 AL ; 200 - ~Failed | DELETE /x, GET /status | Failed the operation failed, and the service does not say why
30 | DELETE | 202 AL ; 200 - ~Canceled | DELETE /x, GET /status | Canceled the operation was canceled, and the service does not say why
31 | DELETE | 202 L ; 200 - =Succeeded | DELETE /x, GET /result | Location =Succeeded
32 | DELETE | 202 L ; 200 - =Failed | DELETE /x, GET /result | Failed the operation failed, and the service does not say why
33 | DELETE | 202 L ; 200 - =Canceled | DELETE /x, GET /result | Canceled the operation was canceled, and the service does not say why
34, 87 | POST | 202 L ; 202 B ; 200 - {"id":1} | POST /x, GET /result, GET /other | Location {"id":1}
35 | POST | 202 L ; 202 B ; 204 | POST /x, GET /result, GET /other | Location nothing
36 | POST | 202 L ; 200 - [] | POST /x, GET /result | Location []
37 | POST status | 202 AL ; 200 - {"status":"succeeded","id":"100"} | POST /x, GET /status | Monitor {"status":"succeeded","id":"100"}
38-41 | POST | 202 AL ; 200 - ~succeeded ; 200 A0 {"id":1} | POST /x, GET /status, GET /result | Location {"id":1}
42 | POST | 202 AL ; 200 - ~Succeeded ; 200 - [{"id":1}] | POST /x, GET /status, GET /result | Location [{"id":1}]
43-44, 85 | POST | 202 AL ; 200 - ~Inprogress ; 200 - ~Succeeded ; 200 - {} | POST /x, GET /status, GET /status, GET /result | Location {}
45 | POST | 202 AL ; 200 - {"status":"Failed","error":{"code":500,"message":"Internal"}} | POST /x, GET /status | Failed 500: Internal
46, L89 | POST | 202 AL ; 200 - {"status":"Canceled","error":{"code":"OperationPreempted","message":"another"}} | POST /x, GET /status | Canceled OperationPreempted: another
47-49 | POST | 202 R ; 200 - {} | POST /x, GET /result?a=b%20c | Location {}
50 | PUT | 500 ; 201 - =Creating ; 500 ; 200 - =Succeeded | PUT /x, PUT /x, GET /x, GET /x | Resource =Succeeded
51-52 | PUT | 500 ; 200 A ; 500 ; 200 - ~Succeeded ; 500 ; 200 - =Succeeded | PUT /x, PUT /x, GET /status, GET /status, GET /x, GET /x | Resource =Succeeded
53-54 | DELETE | 500 ; 202 L ; 500 ; 200 | DELETE /x, DELETE /x, GET /result, GET /result | Location nothing
55 | DELETE | 500 ; 202 A ; 500 ; 200 - ~Succeeded | DELETE /x, DELETE /x, GET /status, GET /status | Monitor nothing
56-57 | POST | 500 ; 202 L | POST /x | Unknown 500 Internal Server Error
56-57, questions | POST | 202 L ; 500 ; broken ; 200 - {} | POST /x, GET /result, GET /result, GET /result | Location {}
58 | PUT | 400 - ! | PUT /x | Failed 400 Bad: no good
59 | PUT | 201 - =Creating ; 400 - ! | PUT /x, GET /x | Unfinished 400 Bad: no good
60 | PUT | 201 - =Creating ; 400 - {"erro | PUT /x, GET /x | Unfinished 400 {"erro
61 | PUT | 201 A ; 400 | PUT /x, GET /status | Unfinished 400 Bad Request
62 | DELETE | 400 - ! | DELETE /x | Failed 400 Bad: no good
63 | DELETE | 202 L ; 400 - ! | DELETE /x, GET /result | Unfinished 400 Bad: no good
64 | DELETE | 202 A ; 400 - ! | DELETE /x, GET /status | Unfinished 400 Bad: no good
65 | POST | 400 - ! | POST /x | Failed 400 Bad: no good
66 | POST | 202 L ; 400 - ! | POST /x, GET /result | Unfinished 400 Bad: no good
67 | POST | 202 A ; 400 - ! | POST /x, GET /status | Unfinished 400 Bad: no good
68 | PUT | 201 ; 200 | PUT /x, GET /x | Unfinished 200 the resource has no body
69 | PUT | 201 A ; 200 - { } | PUT /x, GET /status | Unfinished 200 the status of the operation has no attribute `status`
70 | PUT | 201 A ; 200 | PUT /x, GET /status | Unfinished 200 the status of the operation has no body
71 | PUT | 200 - {"status": | PUT /x | Unknown 200 the answer is no JSON: EOF while parsing a value at line 1 column 10
72 | PUT | 201 Fb ; 6*404 | PUT /x, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo | Unfinished 404 Not Found
73 | PUT | 201 A ; 200 - {"status" | PUT /x, GET /status | Unfinished 200 the answer is no JSON: EOF while parsing an object at line 1 column 9
75 | DELETE | 202 fb ; 6*404 | DELETE /x, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo | Unfinished 404 Not Found
76 | DELETE | 202 A ; 200 - {} | DELETE /x, GET /status | Unfinished 200 the status of the operation has no attribute `status`
77 | DELETE | 202 Fb ; 6*404 | DELETE /x, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo | Unfinished 404 Not Found
78 | DELETE | 202 A ; 200 - {"status"" | DELETE /x, GET /status | Unfinished 200 the answer is no JSON: expected `:` at line 1 column 10
79 | POST | 202 | POST /x | Unknown 202 it was accepted, but the answer names no URL where its end could be seen
80 | POST | 202 fb ; 6*404 | POST /x, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo | Unfinished 404 Not Found
81 | POST | 202 A ; 200 | POST /x, GET /status | Unfinished 200 the status of the operation has no body
82 | POST | 202 Fb ; 6*404 | POST /x, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo, GET /foo | Unfinished 404 Not Found
83 | POST | 202 A ; 200 - {"status:  | POST /x, GET /status | Unfinished 200 the answer is no JSON: EOF while parsing a string at line 1 column 10
84 | PUT | 200 A =Creating ; 200 - ~Succeeded ; 200 - {} | PUT /x, GET /status, GET /x | Resource {}
86 | PUT | 201 - =Creating ; 200 - {} | PUT /x, GET /x | Resource {}
L88 | POST | 202 AL ; 3*404 ; 200 - ~InProgress ; 200 - ~Succeeded ; 200 - {} | POST /x, GET /status, GET /status, GET /status, GET /status, GET /status, GET /result | Location {}
L90 | POST | 202 AL ; 200 - ~Foo ; 200 - ~Deleting ; 200 - ~succeeded ; 200 - {} | POST /x, GET /status, GET /status, GET /status, GET /result | Location {}
L91 | PUT | 201 A ; 200 - ~Succeeded ; 200 - =Creating | PUT /x, GET /status, GET /x | Resource =Creating
L92 | PUT | 201 A ; 200 - ~Succeeded ; 500 ; 200 - =Succeeded | PUT /x, GET /status, GET /x, GET /x | Resource =Succeeded
L92 for good | PUT | 201 A ; 200 - ~Succeeded ; 403 - ! | PUT /x, GET /status, GET /x | Resource nothing, but 403 Bad: no good
L93 | POST | 202 O | POST /x | Unfinished the operation goes on, but the URL of its status is not asked: it leads to another origin, `https://evil.example`
L93 | POST | 202 o | POST /x | Unfinished the operation goes on, but the URL of its status is not asked: the scheme `http` is not followed
L94 | POST | 202 L ; 202 E | POST /x, GET /result | Unfinished the operation goes on, but the URL of its status is not asked: it leads to another origin, `https://evil.example`
L103 | POST | 202 L ; 429 0 ; 200 - {} | POST /x, GET /result, GET /result | Location {}
L107 | POST | 200 - {"objectType":"OperationJobExtendedInfo"} | POST /x | Done 200 {"objectType":"OperationJobExtendedInfo"}
L108 | POST | 204 | POST /x | Done 204 nothing
update in place | PUT | 201 A =Succeeded ; 200 - ~Succeeded ; 200 - =Succeeded | PUT /x, GET /status, GET /x | Resource =Succeeded
202, no URL | PUT | 202 ; 200 - =Creating ; 200 - =Succeeded | PUT /x, GET /x, GET /x | Resource =Succeeded
error among the properties | PUT | 201 - =Creating ; 200 - {"properties":{"provisioningState":"Failed","error":{"code":"Inner","message":"why"}}} | PUT /x, GET /x | Failed Inner: why
failed at once | PUT | 200 - {"properties":{"provisioningState":"Failed"},"error":{"code":"X","message":"why"}} | PUT /x | Failed 200 X: why
resumed already | POST | 200 | POST /x | Done 200 nothing
result not there yet | POST | 202 AL ; 200 - ~Succeeded ; 202 AL0 ; 404 ; 200 A {} | POST /x, GET /status, GET /result, GET /result, GET /result | Location {}
result never there | POST | 202 AL ; 200 - ~Succeeded ; 9*202 AL | POST /x, GET /status, GET /result, GET /result, GET /result, GET /result, GET /result | Location nothing, but 202 the result of the operation is not there yet
an error as result | POST | 202 L ; 200 - ! | POST /x, GET /result | Failed Bad: no good
only the monitor | POST | 202 A ; 200 - ~Succeeded | POST /x, GET /status | Monitor ~Succeeded
status is a number | POST | 202 A ; 200 - {"status":1} | POST /x, GET /status | Unfinished 200 the status of the operation has no attribute `status`
a cut body beside the headers | POST | cut 202 L {"a ; 200 - {} | POST /x, GET /result | Location {}
a cut body without them | POST | cut 200 - {"a | POST /x | Unknown connection reset
"#;

fn expand(body: &str) -> String {
    match body.split_at_checked(1) {
        Some(("=", state)) => format!(r#"{{"properties":{{"provisioningState":"{state}"}}}}"#),
        Some(("~", status)) => format!(r#"{{"status":"{status}"}}"#),
        Some(("!", "")) => r#"{"error":{"code":"Bad","message":"no good"}}"#.to_owned(),
        _ => body.to_owned(),
    }
}

fn reply(text: &str) -> Outcome<Reply> {
    if text == "broken" {
        return Ok(Reply::breakage(Breakage::Interrupted));
    }
    let whole = text.strip_prefix("cut ");
    let mut words = whole.unwrap_or(text).splitn(3, ' ');
    let status = words.next().unwrap_or_default().parse()?;
    let headers = words.next().unwrap_or_default();
    let body = expand(words.next().unwrap_or_default());
    let reply = headers
        .chars()
        .fold(Reply::json(status, body), |reply, letter| {
            let monitor = "azure-asyncoperation";
            let (name, value) = match letter {
                'A' => (monitor, format!("{ARM}/status")),
                'F' => (monitor, "/foo".to_owned()),
                'O' => (monitor, "https://evil.example/status".to_owned()),
                'o' => (monitor, "http://management.azure.com/status".to_owned()),
                'L' => ("location", format!("{ARM}/result")),
                'B' => ("location", format!("{ARM}/other")),
                'E' => ("location", "https://evil.example/result".to_owned()),
                'G' => ("location", "/garbage".to_owned()),
                'R' => ("location", "/result?a=b%20c".to_owned()),
                'f' => ("location", "/foo".to_owned()),
                'b' => ("retry-after", "/bar".to_owned()),
                '0' => ("retry-after", "0".to_owned()),
                _ => return reply,
            };
            reply.header(name, &value)
        });
    Ok(match whole {
        Some(_) => reply.then_broken(),
        None => reply,
    })
}

fn replies(text: &str) -> Outcome<Vec<Reply>> {
    let mut replies = Vec::new();
    for answer in text.split(" ; ") {
        let (times, answer) = match answer.split_once('*') {
            Some((times, answer)) => (times.parse()?, answer),
            None => (1, answer),
        };
        replies.extend(std::iter::repeat_n(reply(answer)?, times));
    }
    Ok(replies)
}

#[test]
fn scenarios() -> Outcome {
    let mut played = 0;
    for line in SCENARIOS.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [_, method, answers, sent, end] = parts[..] else {
            return Err(format!("not five parts: {line}").into());
        };
        let (http, at) = match method {
            "PUT" => (HttpMethod::Put, FinalState::OriginalUri),
            "PATCH" => (HttpMethod::Patch, FinalState::OriginalUri),
            "DELETE" => (HttpMethod::Delete, FinalState::None),
            "POST" => (HttpMethod::Post, FinalState::Location),
            _ => (HttpMethod::Post, FinalState::AsyncOperation),
        };
        let expected: Vec<String> = end.split(' ').map(expand).collect();
        let scene = Scene::of(replies(answers)?);
        let found = scene
            .end_of(intent(write(http), Some(at)))
            .map_err(|error| format!("{line}: {error}"))?;
        assert_eq!(found, (expected.join(" "), sent.to_owned()), "{line}");
        played += 1;
    }
    assert!(played > 90, "{played}");
    Ok(())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn backup() -> crate::journal::Intent {
    intent(write(HttpMethod::Post), Some(FinalState::Location))
}

/// A service whose operation runs for so many questions.
fn running_for(questions: usize, retry_after: Option<&'static str>) -> Scene {
    Scene::answering(config(), move |request, number| {
        let path = request.url.path();
        let answer = match (path, number) {
            ("/x", _) => reply("202 AL"),
            ("/status", number) if number <= questions => reply("200 - ~Inprogress"),
            ("/status", _) => reply("200 - ~Succeeded"),
            _ => reply("200 - {}"),
        };
        let answer = answer.unwrap_or_else(|_| Reply::plain(500, ""));
        match retry_after {
            Some(wait) => answer.header("retry-after", wait),
            None => answer,
        }
    })
}

#[test]
fn waits() -> Outcome {
    let zero = PollInterval::starting_at(Duration::ZERO);
    for (questions, retry_after, poll, expected) in [
        // Before each question of the six, 1 s, then twice as long each time.
        (5, None, PollInterval::default(), 1 + 2 + 4 + 8 + 16 + 30),
        (5, Some("30"), PollInterval::default(), 6 * 30),
        (5, Some("30"), zero, 6 * 30),
        // A service that says "at once" is asked once a second, except in tests.
        (5, Some("0"), PollInterval::default(), 6),
        (5, Some("0"), zero, 0),
        (500, None, zero, 0),
        (
            0,
            Some("Thu, 01 Jan 2026 00:00:10 GMT"),
            PollInterval::default(),
            10,
        ),
        (1, None, PollInterval::starting_at(seconds(60)), 120),
    ] {
        let scene = running_for(questions, retry_after);
        let (end, _) = scene.end_with(backup(), poll)?;
        assert_eq!(end, "Location {}");
        assert_eq!(scene.clock.elapsed(), seconds(expected), "{retry_after:?}");
    }
    Ok(())
}

#[test]
fn a_deadline_ends_the_waiting_only() -> Outcome {
    let scene = running_for(usize::MAX, Some("30")).within(seconds(100));
    let (end, sent) = scene.end_of(backup())?;
    assert_eq!(
        end,
        "Unfinished the operation goes on; the next question would be in 30 s, but the statement has 10 s left"
    );
    assert_eq!(sent, "POST /x, GET /status, GET /status, GET /status");
    assert_eq!(scene.clock.elapsed(), seconds(90));
    Ok(())
}

#[test]
fn progress_is_told() -> Outcome {
    let scene = Scene::of(replies(
        r#"202 AL ; 404 ; 200 - {"status":"Inprogress","percentComplete":40.5} ; 200 - ~Succeeded ; 200 - {}"#,
    )?);
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let ending = scene.clock.run(async {
        let journal = Journal::in_memory(Arc::new(scene.clock.clone()))?;
        let run = journal.begin(binding()).await?;
        let permit = run.intend(vec![backup()]).await?.pop().ok_or("no permit")?;
        let acted = scene.client.act(permit, scene.context()).await;
        let Effect::Started(started) = acted.effect else {
            return Err(format!("{acted:?}").into());
        };
        let listener = Arc::clone(&told);
        let watch = Watch {
            progress: Some(Arc::new(move |progress: &Progress| {
                listener
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(progress.clone());
            })),
            ..Watch::new(scene.context())
        };
        Outcome::Ok(scene.client.follow(started, &watch).await.ending)
    });
    assert!(
        matches!(ending, Some(Ok(Ending::Succeeded(_)))),
        "{ending:?}"
    );
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let short: Vec<_> = told
        .iter()
        .map(|p| (p.status.as_str(), p.percent, p.elapsed.as_secs(), p.polls))
        .collect();
    assert_eq!(
        short,
        [("NotFound", None, 1, 1), ("Inprogress", Some(40.5), 3, 2)]
    );
    Ok(())
}

#[test]
fn long_signed_urls_go_out_as_they_came() -> Outcome {
    let signed = |length: usize| {
        let url = format!(
            "{ARM}/subscriptions/S/operationStatus/MGQ0;NDgw==?api-version=1&t=638&c=MII-_x&s=a%2Fb+c&h="
        );
        let fill = length - url.len();
        url + &"h".repeat(fill)
    };
    for (length, works) in [(4_096, true), (16_384, true), (16_385, false)] {
        let url = signed(length);
        let scene = Scene::of([
            Reply::plain(202, "").header("azure-asyncoperation", &url),
            reply("200 - ~Succeeded")?,
        ]);
        let (end, _) = scene.end_of(backup())?;
        if works {
            assert_eq!(end, r#"Monitor {"status":"Succeeded"}"#);
            assert_eq!(scene.urls()[1], url);
        } else {
            assert!(end.contains("16385 bytes long"), "{end}");
            assert_eq!(scene.urls().len(), 1);
        }
    }
    Ok(())
}

/// A handle in its JSON form, as it lies in the journal.
fn handle_text(scene: &Scene) -> Outcome<String> {
    let (acted, ..) = scene
        .clock
        .run(async {
            let journal = Journal::in_memory(Arc::new(scene.clock.clone()))?;
            let run = journal.begin(binding()).await?;
            let permit = run.intend(vec![backup()]).await?.pop().ok_or("no permit")?;
            Outcome::Ok((scene.client.act(permit, scene.context()).await, run))
        })
        .ok_or("the test hangs")??;
    match acted.effect {
        Effect::Started(started) => Ok(started.handle().to_text()),
        other => Err(format!("{other:?}").into()),
    }
}

#[test]
fn handles_are_data_of_a_fixed_form() -> Outcome {
    let scene = Scene::of(replies("202 AL")?);
    let text = handle_text(&scene)?;
    let handle = Handle::of_text(&text)?;
    assert_eq!(handle.to_text(), text);
    assert_eq!(handle.operation_id.as_deref(), Some("status"));
    assert_eq!(handle.started(), scene.clock.wall());
    assert!(handle.started() > UNIX_EPOCH);
    assert!(!format!("{handle:?}").contains("api-version=1&t"));
    for (changed, why) in [
        (
            text.replace("\"form\":1", "\"form\":2"),
            "it has form 2, and this program knows form 1",
        ),
        (
            text.replace("\"scope\"", "\"extra\":1,\"scope\""),
            "unknown field `extra`",
        ),
        (
            text.replace("\"POST\"", "\"RUN\""),
            "an unknown HTTP method",
        ),
        (
            text.replace("\"location\",", "\"somewhere\","),
            "an unknown place of the result",
        ),
        ("[1".to_owned(), "EOF while parsing"),
    ] {
        let error = Handle::of_text(&changed).err().ok_or("it was read")?;
        assert!(error.to_string().contains(why), "{error}");
    }
    Ok(())
}

#[test]
fn an_operation_is_followed_in_another_process() -> Outcome {
    let begun = Scene::of([reply("202 AL")?.header("retry-after", "30")]);
    let handle = Handle::of_text(&handle_text(&begun)?)?;
    let follow = |config: ClientConfig, later: u64| -> Outcome<(Ending, Duration, usize)> {
        let clock = VirtualClock::starting_at(handle.started() + seconds(later));
        let script = Script::of(
            Arc::new(clock.clone()),
            replies("200 - ~Succeeded ; 200 - {}")?,
        );
        let scene = Scene::over(config, None, clock, script);
        let watch = Watch::new(scene.context());
        let ending = scene
            .clock
            .run(scene.client.chase(&handle, &watch))
            .ok_or("the test hangs")?;
        Ok((ending, scene.clock.elapsed(), scene.urls().len()))
    };
    // The service's first wait counts from the start.
    for (later, waited) in [(0, 30), (10, 20), (3600, 0)] {
        let (ending, elapsed, _) = follow(config(), later)?;
        assert!(matches!(ending, Ending::Succeeded(_)), "{ending:?}");
        assert_eq!(elapsed, seconds(waited));
    }
    let elsewhere = ClientConfig {
        endpoint: Some("https://management.chinacloudapi.cn".parse()?),
        ..config()
    };
    let (ending, _, sent) = follow(elsewhere, 0)?;
    let Ending::Unfinished(error) = ending else {
        return Err(format!("{ending:?}").into());
    };
    assert_eq!((error.kind, sent), (ErrorKind::Refused, 0));
    assert_eq!(
        error.to_string(),
        "`things`: the operation was started at `https://management.azure.com`, and this client calls `https://management.chinacloudapi.cn`"
    );
    Ok(())
}

#[test]
fn an_operation_is_bound_to_its_identity() -> Outcome {
    let scene = Scene::of(replies("202 AL ; 200 - ~Failed")?);
    let outcome = scene.clock.run(async {
        let journal = Journal::in_memory(Arc::new(scene.clock.clone()))?;
        let run = journal.begin(binding()).await?;
        let permit = run.intend(vec![backup()]).await?.pop().ok_or("no permit")?;
        let number = scene.client.act(permit, scene.context()).await.number;
        let mut other = binding();
        other.tenant = Some("T2".to_owned());
        let refused = journal.started(number, &other).await.err();
        assert_eq!(
            refused.map(|error| error.to_string()).as_deref(),
            Some("the entry is bound to the tenant `none`, and this is `T2`")
        );
        let started = journal.started(number, &binding()).await?;
        let watch = Watch::new(scene.context());
        scene.client.follow(started, &watch).await;
        let ended = journal.started(number, &binding()).await.err();
        assert!(
            matches!(
                ended,
                Some(JournalError::State {
                    state: "Failed",
                    ..
                })
            ),
            "{ended:?}"
        );
        let entry = journal.find("status").await?;
        assert_eq!((entry.number, entry.state), (number, State::Failed));
        Outcome::Ok(())
    });
    outcome.ok_or("the test hangs")?
}
