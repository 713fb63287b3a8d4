//! Secrets: certificates, and the users' credentials with all the ways applications want to read them.

use rand::RngExt as _;
use serde_json::{Value, json};

use super::owner;
use crate::lab::api::resources::SECRETS;
use crate::lab::instance::credentials::{application_of, given_secret};
use crate::lab::object::{flag, text};
use crate::lab::operator::certificates::{Authority, Pair, pair_of, secret_data};
use crate::lab::operator::pass::Pass;
use crate::lab::operator::status::{CertificateSecrets, alternative_names};
use crate::lab::operator::words::{MANAGER, VERSION, annotation, label};
use crate::lab::operator::world::ClusterObject;

/// The PostgreSQL user that standbys log in as.
pub const REPLICATION_USER: &str = "streaming_replica";

/// # Errors
/// When certificates can't be made; the text says why.
pub fn ensure(pass: &mut Pass<'_>) -> Result<(), String> {
    certificates(pass).map_err(|why| format!("can't make certificates: {why}"))?;
    superuser(pass);
    application(pass);
    Ok(())
}

fn certificates(pass: &mut Pass<'_>) -> Result<(), rcgen::Error> {
    let (world, now) = (pass.world, pass.world.now);
    let names = CertificateSecrets::of(&pass.cluster);
    let missing = |name: &str| !world.has(&SECRETS, name);
    // A CA that the user gave is the user's to sign with.
    let own_ca = names.server_ca == format!("{}-ca", pass.name()) && names.client_ca == names.server_ca;
    if !own_ca || !(missing(&names.server_ca) || missing(&names.server_tls) || missing(&names.replication_tls)) {
        return Ok(());
    }
    let (cluster, namespace) = (pass.cluster.name().to_owned(), pass.cluster.namespace().to_owned());
    let standing = world.get(&SECRETS, &names.server_ca).and_then(|secret| pair_of(secret, "ca.crt", "ca.key"));
    let authority = match standing {
        Some(pair) => Authority::load(&cluster, &namespace, pair, now)?,
        None => {
            let authority = Authority::generate(&cluster, &namespace, now)?;
            let pair = authority.pair();
            let data = secret_data([("ca.crt", pair.certificate.as_str()), ("ca.key", pair.key.as_str())]);
            let secret = secret(&pass.cluster, &names.server_ca, "Opaque", data);
            pass.create(&SECRETS, secret);
            authority
        }
    };
    if missing(&names.server_tls) {
        let pair = authority.server(&alternative_names(&pass.cluster), now)?;
        let secret = tls(&pass.cluster, &names.server_tls, &pair);
        pass.create(&SECRETS, secret);
    }
    if missing(&names.replication_tls) {
        let pair = authority.client(REPLICATION_USER, now)?;
        let secret = tls(&pass.cluster, &names.replication_tls, &pair);
        pass.create(&SECRETS, secret);
    }
    Ok(())
}

fn tls(cluster: &Value, name: &str, pair: &Pair) -> Value {
    let data = secret_data([("tls.crt", pair.certificate.as_str()), ("tls.key", pair.key.as_str())]);
    secret(cluster, name, "kubernetes.io/tls", data)
}

fn secret(cluster: &Value, name: &str, kind: &str, data: Value) -> Value {
    json!({
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": MANAGER},
            "ownerReferences": [owner(cluster)],
        },
        "data": data,
        "type": kind,
    })
}

fn superuser(pass: &mut Pass<'_>) {
    let given = text(&pass.cluster, "/spec/superuserSecret/name");
    let name = format!("{}-superuser", pass.name());
    let wanted = flag(&pass.cluster, "/spec/enableSuperuserAccess") && given.is_empty();
    let there = pass.world.has(&SECRETS, &name);
    if wanted && !there {
        let secret = credentials(&pass.cluster, &name, "postgres", "*", "superuser");
        pass.create(&SECRETS, secret);
    } else if !flag(&pass.cluster, "/spec/enableSuperuserAccess") && there {
        pass.delete(&SECRETS, &name);
    }
}

fn application(pass: &mut Pass<'_>) {
    let Some((database, user)) = application_of(&pass.cluster) else { return };
    let name = format!("{}-app", pass.name());
    if given_secret(&pass.cluster).is_some() || pass.world.has(&SECRETS, &name) {
        return;
    }
    let secret = credentials(&pass.cluster, &name, user, database, "app");
    pass.create(&SECRETS, secret);
}

fn credentials(cluster: &Value, name: &str, user: &str, database: &str, user_type: &str) -> Value {
    let password = password();
    let host = format!("{}-rw", cluster.name());
    let namespace = cluster.namespace();
    let fqdn = format!("{host}.{namespace}.svc.cluster.local");
    let uri = |host: &str| format!("postgresql://{user}:{password}@{host}:5432/{database}");
    let jdbc = |host: &str| format!("jdbc:postgresql://{host}:5432/{database}?password={password}&user={user}");
    let data = secret_data([
        ("username", user),
        ("user", user),
        ("password", &password),
        ("dbname", database),
        ("host", &host),
        ("port", "5432"),
        ("pgpass", &format!("{host}:5432:{database}:{user}:{password}\n")),
        ("uri", &uri(&format!("{host}.{namespace}"))),
        ("jdbc-uri", &jdbc(&format!("{host}.{namespace}"))),
        ("fqdn-uri", &uri(&fqdn)),
        ("fqdn-jdbc-uri", &jdbc(&fqdn)),
    ]);
    let mut secret = secret(cluster, name, "kubernetes.io/basic-auth", data);
    secret["metadata"]["labels"][label::CLUSTER] = cluster.name().into();
    secret["metadata"]["labels"][label::RELOAD] = "true".into();
    secret["metadata"]["labels"][label::USER_TYPE] = user_type.into();
    secret["metadata"]["annotations"] = json!({annotation::OPERATOR_VERSION: VERSION});
    secret
}

/// 64 letters and digits.
fn password() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..64).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}
