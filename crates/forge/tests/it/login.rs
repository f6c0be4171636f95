use forge::{Kind, Login};
use http_client::secret::Secret;

use crate::data;

fn parse(pairs: &[(&str, &str)]) -> Result<Login, String> {
    Login::parse(Secret { name: "ns/s", data: &data(pairs) }).map_err(|error| error.to_string())
}

#[test]
fn secrets_have_fluxs_keys() {
    assert_eq!(parse(&[("token", " t\n")]), Ok(Login::Token("t".into())));
    assert_eq!(parse(&[("bearerToken", "t")]), Ok(Login::Token("t".into())));
    let basic = Login::Basic { username: "u".into(), password: "p".into() };
    assert_eq!(parse(&[("username", "u"), ("password", "p")]), Ok(basic));
    assert_eq!(parse(&[]), Err("secret 'ns/s': key 'token' not found".into()));
    assert_eq!(parse(&[("token", "")]), Err("secret 'ns/s': key 'token' is empty".into()));
    let app = parse(&[("githubAppID", "1"), ("token", "t")]);
    assert_eq!(app, Err("secret 'ns/s': key 'githubAppPrivateKey' not found".into()));
    assert_eq!(format!("{:?}", parse(&[("token", "hidden")])), "Ok(Token(..))");
}

#[test]
fn providers_are_known_by_name() {
    assert_eq!("forgejo".parse::<Kind>().unwrap(), Kind::Gitea);
    let error = "bitbucket".parse::<Kind>().unwrap_err().to_string();
    assert_eq!(error, "no provider 'bitbucket': want github, gitlab, gitea or forgejo");
}
