"""``webhooks``: endpoints that events are posted to, and their deliveries."""

from itertools import islice
from typing import Annotated

import typer
from rich.console import Group

from modelyard._naming import invalid, webhook_name
from modelyard.cli import render_consumers as render
from modelyard.cli.exits import Exit
from modelyard.cli.options import add as register
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import plain, short
from modelyard.core.limits import MAX_PAGE_SIZE
from modelyard.core.names import DEFAULT_NAMESPACE, DeliveryName
from modelyard.types import DeliveryState, Webhook

app = typer.Typer(help="Post events to other systems, over HTTPS as CloudEvents.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="WEBHOOK", help="For example team/deployer.")]


@with_session
def add(
    session: Session,
    name: _Name,
    endpoint: Annotated[str, typer.Argument(metavar="URL", help="https://… At most 2048 characters.")],
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only events of this type, for example alias.moved or alias.*. Repeatable."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Only events of this model.", show_default=False)
    ] = None,
    description: Annotated[str, typer.Option(help="For people, at most 4 KiB.", show_default=False)] = "",
) -> None:
    """Create a webhook and print its secret. Keep the secret: it is not shown again."""
    with session.client() as client:
        made = client.webhooks.create(name, endpoint, types=types or (), model=model, description=description)
    session.show({"webhook": made}, _with_secret(made))


@with_session
def ls(session: Session, namespace: Annotated[str, typer.Argument(metavar="[NAMESPACE]")] = DEFAULT_NAMESPACE) -> None:
    """List the webhooks of a namespace."""
    with session.client() as client:
        session.show_list("webhooks", client.webhooks.list(namespace), render.webhooks, f"{namespace} has no webhooks")


@with_session
def rm(session: Session, name: _Name) -> None:
    """Delete a webhook and its deliveries for good."""
    with session.client() as client:
        removed = client.webhooks.delete(name)
    session.show({"webhook": removed}, plain(f"deleted {short(removed.name)}"))


@with_session
def enable(session: Session, name: _Name) -> None:
    """Enable a webhook. Deliveries that waited are sent; events from now on are delivered."""
    with session.client() as client:
        _told(session, client.webhooks.update(name, disabled=False), "enabled")


@with_session
def disable(session: Session, name: _Name) -> None:
    """Disable a webhook. Events from now on are never delivered; deliveries that wait are kept."""
    with session.client() as client:
        _told(session, client.webhooks.update(name, disabled=True), "disabled")


@with_session
def rotate_secret(session: Session, name: _Name) -> None:
    """Give a webhook a new secret and print it. For one day deliveries are signed with the old one too."""
    with session.client() as client:
        renewed = client.webhooks.rotate_secret(name)
    session.show({"webhook": renewed}, _with_secret(renewed))


@with_session
def test(session: Session, name: _Name) -> None:
    """Post a test event now and print the answer. The exit code is 1 if the receiver refuses it."""
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
    failed: Annotated[bool, typer.Option("--failed", help="Only deliveries that were given up.")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Only deliveries that are still tried.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most deliveries to list.")] = 50,
) -> None:
    """List the deliveries of a webhook, newest first. Those that have ended are kept for a week."""
    if failed and pending:
        raise invalid("state", "Use --failed or --pending, not both.")
    state = DeliveryState.FAILED if failed else DeliveryState.PENDING if pending else None
    with session.client() as client:
        pages = client.webhooks.deliveries(name, state=state, page_size=min(limit, MAX_PAGE_SIZE))
        found = islice(pages, limit)
        session.show_list("deliveries", found, render.deliveries, "there are no deliveries")


@with_session
def redeliver(
    session: Session,
    name: _Name,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, as 'deliveries' lists it.")],
) -> None:
    """Send an event again whose delivery has ended."""
    with session.client() as client:
        again = client.webhooks.redeliver(DeliveryName(webhook_name(name), delivery))
    session.show({"delivery": again}, plain(f"event {again.revision} is sent again, as {again.name.delivery}"))


def _with_secret(webhook: Webhook) -> Group:
    return Group(plain(f"{short(webhook.name)} → {webhook.url}"), plain(f"secret: {webhook.secret}"))


def _told(session: Session, webhook: Webhook, what: str) -> None:
    session.show({"webhook": webhook}, plain(f"{short(webhook.name)} is {what}"))


for _command in (add, ls, rm, enable, disable, rotate_secret, test, deliveries, redeliver):
    register(app, _command)
