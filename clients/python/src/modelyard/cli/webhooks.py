"""``webhooks``: who is told of events, and what was sent."""

from itertools import islice
from typing import Annotated

import typer
from rich.console import Group

from modelyard._naming import invalid, webhook_name
from modelyard.cli import render_consumers as render
from modelyard.cli.exits import Exit
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import plain, short
from modelyard.core.names import DEFAULT_NAMESPACE, DeliveryName
from modelyard.types import DeliveryState, Webhook

app = typer.Typer(
    help="Tells other systems what happens: events, posted over HTTPS as CloudEvents.", no_args_is_help=True
)
_Name = Annotated[str, typer.Argument(metavar="WEBHOOK", help="As team/deployer.")]


@with_session
def add(
    session: Session,
    name: _Name,
    endpoint: Annotated[str, typer.Argument(metavar="URL", help="https://…")],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="As alias.moved or alias.*; repeatable. All without it."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Only events of this model.", show_default=False)
    ] = None,
    description: Annotated[str, typer.Option(help="For people.", show_default=False)] = "",
) -> None:
    """Adds a webhook, and tells its secret: keep it, it is not told again."""
    with session.client() as client:
        made = client.webhooks.create(name, endpoint, types=types or (), model=model, description=description)
    session.show({"webhook": made}, _with_secret(made))


@with_session
def ls(session: Session, namespace: Annotated[str, typer.Argument(metavar="[NAMESPACE]")] = DEFAULT_NAMESPACE) -> None:
    """Lists the webhooks of a namespace."""
    with session.client() as client:
        session.show_list("webhooks", client.webhooks.list(namespace), render.webhooks, f"{namespace} has no webhooks")


@with_session
def rm(session: Session, name: _Name) -> None:
    """Removes a webhook with its deliveries, for good."""
    with session.client() as client:
        removed = client.webhooks.delete(name)
    session.show({"webhook": removed}, plain(f"removed {short(removed.name)}"))


@with_session
def enable(session: Session, name: _Name) -> None:
    """Goes on with what waited, and tells what happens from now on."""
    with session.client() as client:
        _told(session, client.webhooks.update(name, disabled=False), "enabled")


@with_session
def disable(session: Session, name: _Name) -> None:
    """Delivers nothing. What happens meanwhile is never delivered; what waits already does so later."""
    with session.client() as client:
        _told(session, client.webhooks.update(name, disabled=True), "disabled")


@with_session
def rotate_secret(session: Session, name: _Name) -> None:
    """Gives it a new secret, and tells it. For a day the old one signs too."""
    with session.client() as client:
        renewed = client.webhooks.rotate_secret(name)
    session.show({"webhook": renewed}, _with_secret(renewed))


@with_session
def test(session: Session, name: _Name) -> None:
    """Posts a test event now, and tells what came of it; exit code 1 if it was not taken."""
    with session.client() as client:
        tried = client.webhooks.test(name)
    told = f"answered {tried.status_code}" if tried.delivered else tried.error
    session.show({"test": tried}, plain(f"{told} after {tried.latency * 1000:.0f} ms"))
    if not tried.delivered:
        raise typer.Exit(Exit.OTHER)


@with_session
def deliveries(
    session: Session,
    name: _Name,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were given up.")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Only those that are still tried.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
) -> None:
    """Tells what was sent and is to be, the newest first. What has ended is kept for a week."""
    if failed and pending:
        raise invalid("state", "--failed and --pending leave nothing; give one of them")
    state = DeliveryState.FAILED if failed else DeliveryState.PENDING if pending else None
    with session.client() as client:
        found = islice(client.webhooks.deliveries(name, state=state), limit)
        session.show_list("deliveries", found, render.deliveries, "there are no deliveries")


@with_session
def redeliver(
    session: Session,
    name: _Name,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, as 'deliveries' tells it.")],
) -> None:
    """Sends an event again whose delivery has ended."""
    with session.client() as client:
        again = client.webhooks.redeliver(DeliveryName(webhook_name(name), delivery))
    session.show({"delivery": again}, plain(f"event {again.revision} is sent again, as {again.name.delivery}"))


def _with_secret(webhook: Webhook) -> Group:
    return Group(plain(f"{short(webhook.name)} → {webhook.url}"), plain(f"secret: {webhook.secret}"))


def _told(session: Session, webhook: Webhook, what: str) -> None:
    session.show({"webhook": webhook}, plain(f"{short(webhook.name)} is {what}"))


for _command in (add, ls, rm, enable, disable, rotate_secret, test, deliveries, redeliver):
    app.command()(_command)
