"""Who logged in, and who is."""

from libs.contracts import ids
from services.gateway.dialects.klairo import wire
from services.gateway.directory.signing_in.logins import LoggedIn, Wanted
from services.gateway.directory.signing_in.store import Profile
from services.gateway.plans.plans import Terms


def login(body: wire.auth.Login) -> Wanted:
    return Wanted(body.email, body.password, body.workspace)


def logged_in(done: LoggedIn) -> wire.auth.LoggedIn:
    profile = done.profile
    user = wire.auth.User(
        id=ids.crockford("usr", profile.account_id), email=profile.email, name=profile.name, plan=profile.plan
    )
    return wire.auth.LoggedIn(token=done.token.text, expires_at=done.token.expires_at, user=user)


def me(profile: Profile, terms: Terms) -> wire.auth.Me:
    return wire.auth.Me(
        id=ids.crockford("usr", profile.account_id),
        name=profile.name,
        email=profile.email,
        plan=wire.auth.Plan(id=terms.plan, label=terms.title),
        quota=wire.auth.Quota(
            chat_limit_daily=terms.chat_messages_per_day,
            api_limit_per_minute=terms.requests_per_minute,
            automations_max=terms.automations,
        ),
        created_at=profile.created_at,
        last_seen_at=profile.last_seen_at,
    )
