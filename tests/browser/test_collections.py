"""Two people share documents, each in a browser of their own."""

import pytest

from tests.browser.layout import faults
from tests.browser.test_accounts import PASSWORD, log_in
from tests.browser.test_page import ready
from tests.webui.fake_engine import FakeEngine, document
from webui.accounts.accounts import Accounts
from webui.accounts.roles import Role
from webui.accounts.users import Users


@pytest.fixture
def url(tmp_path, served):
    """A server with two editors, each of whom has documents."""
    engine = FakeEngine(tmp_path / "data")
    engine.library = [
        document("Northwind annual report 2023.pdf", "ann"),
        document("Supply agreement Contoso.pdf", "ann"),
        document("bobs.pdf", "bob"),
    ]
    users = Users(tmp_path / "data")
    for name in ("ann", "bob"):
        Accounts(users).add_user(name, PASSWORD, Role.EDITOR)
    return served(engine, accounts=Accounts(users))


def row(page, name):
    return page.locator(".document", has_text=name)


def share(page, title, name, role="reader"):
    """Make a collection and grant it, on the page about collections."""
    page.click("text=Share documents with others")
    page.fill("form:has([value=create]) [name=title]", title)
    page.click("text=Create")
    page.wait_for_selector(f"text={title} has been created")
    form = page.locator("form.row", has=page.locator("[value=grant]"))
    form.locator("[name=name]").fill(name)
    form.locator("[name=role]").select_option(role)
    form.locator("button").click()
    page.wait_for_selector(f"text=Shared with {name}")


def test_a_document_is_shared_with_one_other_and_taken_back(url, visit, screenshot):
    ann, bob = visit(url), visit(url)
    for page, name in ((ann, "ann"), (bob, "bob")):
        log_in(page, name)
        ready(page)
    assert row(bob, "Contoso").count() == 0
    share(ann, "Contracts", "bob")
    screenshot(ann, "collections")
    ann.click("text=Back to your documents")
    ready(ann)
    row(ann, "Contoso").locator(".info").click()
    ann.select_option("[data-do=move]", label="Contracts (bob, you)")
    ann.wait_for_selector(".document .in:has-text('Contracts')")
    assert faults(ann) == []
    screenshot(ann, "collection-shared")
    # Bob sees it without reloading, and can do nothing to it.
    row(bob, "Contoso").wait_for()
    assert row(bob, "Contoso").locator(".in").inner_text() == "Contracts"
    assert row(bob, "Contoso").locator(".remove").count() == 0
    assert row(bob, "Northwind").count() == 0
    row(bob, "Contoso").locator(".info").click()
    row(bob, "Contoso").locator(".details").wait_for()
    assert bob.locator("[data-do=move]").count() == 0
    assert faults(bob) == []
    screenshot(bob, "collection-granted")
    ann.click("text=Shared collections…")
    ann.click("[aria-label='Stop sharing Contracts with bob']")
    ann.wait_for_selector("text=No longer shared with bob")
    row(bob, "Contoso").wait_for(state="detached")


def test_files_are_added_to_a_collection_that_others_see(url, visit, screenshot):
    ann, bob = visit(url), visit(url, size=(390, 844), locale="zh-CN", color_scheme="dark")
    for page, name in ((ann, "ann"), (bob, "bob")):
        log_in(page, name)
        page.wait_for_selector("[data-do=panel]", state="attached")
    ready(ann)
    share(ann, "Contracts", "bob", "editor")
    ann.click("text=Back to your documents")
    ready(ann)
    ann.select_option("[data-do=into]", label="Contracts")
    ann.set_input_files(
        ".drop input", {"name": "lease.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 lease"}
    )
    ann.wait_for_selector(".document:has-text('lease') .in")
    bob.click("[data-panel=library]")
    row(bob, "lease").wait_for()
    assert bob.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(bob) == []
    screenshot(bob, "collection-phone-chinese")
    row(bob, "lease").locator(".remove").click()
    row(ann, "lease").wait_for(state="detached")
    bob.goto(f"{url}/collections")
    bob.wait_for_selector("text=共享文档集")
    assert bob.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(bob, "collections-chinese")
