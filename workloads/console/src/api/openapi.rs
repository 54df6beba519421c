//! The API as an OpenAPI 3.1 document, made of the types that it answers with. It is committed as `openapi.json`, of which the
//! front end's types are made.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use vedette_contract::console::{
    AccessView, EndSent, EndedView, ListedTrainingsView, SilenceSent, SilenceView, SilencesView, VerdictSent,
    WrittenAlertsView, WrittenIncidentsView, WrittenVerdictsView,
};

use super::bodies::SimulationSent;
use super::parameters::{AlertsAsked, IncidentsAsked, Nothing, SilencesAsked, VerdictsAsked};
use super::problem::Problem;
use crate::view::{
    AlertView, AlertsView, ChangesView, GivenView, HistogramView, IncidentView, IncidentsView, OverviewView,
    ScoresView, SimulationView, TrainingsView,
};

/// The document.
pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut bodies = settings.clone().for_deserialize().into_generator();
    let mut generator = settings.for_serialize().into_generator();
    let mut paths = Map::new();
    let mut add =
        |path: &str, operation: Value| _ = paths.insert(format!("/api/v1{path}"), json!({ "get": operation }));
    add(
        "/overview",
        answer::<Nothing, OverviewView>(&mut generator, "All sites, their topics and their alerts of a day"),
    );
    add(
        "/incidents",
        answer::<IncidentsAsked, IncidentsView>(&mut generator, "Incidents, those with the newest alert first"),
    );
    let written = "The same, as they were written";
    add("/incidents/written", answer::<IncidentsAsked, WrittenIncidentsView>(&mut generator, written));
    add("/incidents/{id}", answer::<Nothing, IncidentView>(&mut generator, "One incident"));
    add("/alerts", answer::<AlertsAsked, AlertsView>(&mut generator, "The newest alerts of all sites"));
    add("/alerts/written", answer::<AlertsAsked, WrittenAlertsView>(&mut generator, written));
    add("/alerts/{id}", answer::<Nothing, AlertView>(&mut generator, "One alert"));
    add(
        "/alerts/{id}/similar",
        answer::<Nothing, AlertsView>(&mut generator, "Alerts with the same largest reason within an hour"),
    );
    add(
        "/histogram",
        answer::<AlertsAsked, HistogramView>(
            &mut generator,
            "A numeric field of alerts, or of a sample of all records, by a categorical one",
        ),
    );
    add("/scores", answer::<AlertsAsked, ScoresView>(&mut generator, "How scores of alerts are distributed"));
    add("/trainings", answer::<Nothing, TrainingsView>(&mut generator, "Trainings, their models and their runs"));
    let listed = "Trainings, each as the command line lists its versions";
    add("/trainings/listed", answer::<Nothing, ListedTrainingsView>(&mut generator, listed));
    add("/changes", events(&mut generator));
    let access = "Whether whoever asks may write, and what the command line needs to do the same";
    add("/access", answer::<Nothing, AccessView>(&mut generator, access));
    add("/silences", answer::<SilencesAsked, SilencesView>(&mut generator, "Silences, those in force first"));
    let verdicts = "Verdicts of a pipeline, the newest first, as they were written";
    add("/verdicts/written", answer::<VerdictsAsked, WrittenVerdictsView>(&mut generator, verdicts));
    add(
        "/simulations/{id}",
        answer::<Nothing, SimulationView>(&mut generator, "What became of a record that somebody made up, by its uuid"),
    );
    paths["/api/v1/silences"]["post"] = sent::<SilenceSent, SilenceView>(
        (&mut generator, &mut bodies),
        "Adds a silence, written by the console's site",
    );
    let posts = [
        (
            "/silences/{id}/end",
            sent::<EndSent, EndedView>((&mut generator, &mut bodies), "Ends a silence of the console's site now"),
        ),
        (
            "/verdicts",
            sent::<VerdictSent, GivenView>(
                (&mut generator, &mut bodies),
                "Says what an alert or an incident turned out to be",
            ),
        ),
        (
            "/simulations",
            sent::<SimulationSent, SimulationView>(
                (&mut generator, &mut bodies),
                "Sends a record that somebody made up to the input topic of a pipeline at the console's site",
            ),
        ),
    ];
    paths.extend(posts.map(|(path, operation)| (format!("/api/v1{path}"), json!({ "post": operation }))));
    for (path, operations) in &mut paths {
        let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } });
        let operations = operations.as_object_mut().into_iter().flat_map(Map::values_mut);
        operations.filter(|_| path.contains("{id}")).for_each(|operation| operation["parameters"] = json!([id]));
    }
    let mut schemas: Map<String, Value> = generator.take_definitions(true);
    schemas.extend(bodies.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vedette console",
            "version": "1",
            "description": "What the page asks and does. Paths are below the path prefix of the console. What is sent is taken as JSON, of \
                            whoever sends its token, or is named by the proxy that it trusts, and of no other page.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
    })
}

fn answer<Asked: JsonSchema, Answer: JsonSchema>(generator: &mut SchemaGenerator, summary: &str) -> Value {
    operation(
        summary,
        parameters::<Asked>(generator),
        "application/json",
        &generator.subschema_for::<Answer>().to_value(),
        generator,
    )
}

/// What is sent, and what comes of it. Without the token, where the proxy names who sends it.
fn sent<Sent: JsonSchema, Answer: JsonSchema>(
    (generator, bodies): (&mut SchemaGenerator, &mut SchemaGenerator),
    summary: &str,
) -> Value {
    let body = bodies.subschema_for::<Sent>().to_value();
    let mut operation =
        operation(summary, json!([]), "application/json", &generator.subschema_for::<Answer>().to_value(), generator);
    operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": body } } });
    operation["security"] = json!([{ "token": [] }, {}]);
    operation
}

fn events(generator: &mut SchemaGenerator) -> Value {
    let summary = "What changes, as server-sent events: the data of each is a ChangesView";
    let changes = generator.subschema_for::<ChangesView>().to_value();
    operation(summary, json!([]), "text/event-stream", &changes, generator)
}

fn operation(summary: &str, parameters: Value, kind: &str, schema: &Value, generator: &mut SchemaGenerator) -> Value {
    let problem = generator.subschema_for::<Problem>().to_value();
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "The answer", "content": { kind: { "schema": schema } } },
            "4XX": {
                "description": "What is wrong with the request",
                "content": { "application/problem+json": { "schema": problem } },
            },
        },
    })
}

/// Each member of a type is a parameter.
fn parameters<Asked: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let schema = Asked::json_schema(generator).to_value();
    let members = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, member): (String, Value)| {
        let description = member["description"].as_str().unwrap_or("As in the manifests").to_owned();
        let kind = if name == "limit" { "integer" } else { "string" };
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } })
    };
    members.into_iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_the_document_of_this_build() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("VEDETTE_WRITE").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == text,
            "run the test with VEDETTE_WRITE=1, then `npm run types` and `npm run build` in web/"
        );
    }

    #[test]
    fn every_path_has_its_parameters_and_its_answer() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 20);
        let post = &paths["/api/v1/silences"]["post"];
        let body = &post["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["$ref"], "#/components/schemas/SilenceSent");
        let sent = &document["components"]["schemas"]["SilenceSent"];
        assert_eq!(sent["required"], json!(["namespace", "pipeline", "match", "why"]), "{sent}");
        assert_eq!(sent["additionalProperties"], false);
        assert_eq!(paths["/api/v1/silences/{id}/end"]["post"]["parameters"][0]["name"], "id");
        assert_eq!(paths["/api/v1/alerts/{id}"]["get"]["parameters"][0]["name"], "id");
        let names = paths["/api/v1/incidents"]["get"]["parameters"].as_array().unwrap();
        assert!(names.iter().any(|parameter| parameter["name"] == "after"));
        assert!(document["components"]["schemas"]["SiteView"]["properties"]["silent_since_utc"].is_object());
    }
}
