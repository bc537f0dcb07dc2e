"""Logging in, roles, and managing users, as people do it."""

import pytest

from tests.browser.layout import faults
from tests.browser.test_page import ready
from tests.webui.fake_engine import FakeEngine, document
from webui.accounts.accounts import Accounts
from webui.accounts.roles import Role
from webui.accounts.users import Users

PASSWORD = "correct horse"


@pytest.fixture
def url(tmp_path, served):
    """A server with one administrator."""
    engine = FakeEngine(tmp_path / "data")
    engine.library = [document("shared.pdf"), document("anns.pdf", "ann"), document("bobs.pdf", "bob")]
    users = Users(tmp_path / "data")
    Accounts(users).add_user("ann", PASSWORD, Role.ADMINISTRATOR)
    return served(engine, accounts=Accounts(users))


def log_in(page, name, password=PASSWORD):
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button")


def test_an_administrator_adds_a_reader_who_sees_what_they_may_do(url, visit, screenshot):
    page = visit(url)
    log_in(page, "ann", "wrong")
    page.wait_for_selector("text=The name or the password is wrong.")
    screenshot(page, "login")
    log_in(page, "ann")
    ready(page)
    page.wait_for_selector(".drop")
    page.click("a[href=account]")
    form = page.locator("form", has=page.locator("[value=add]"))
    form.locator("[name=name]").fill("bob")
    form.locator("[name=new]").fill(PASSWORD)
    form.locator("select").select_option("reader")
    form.locator("button").click()
    page.wait_for_selector("text=bob can now log in.")
    screenshot(page, "account")

    reader = visit(url)
    log_in(reader, "bob")
    ready(reader)
    reader.wait_for_selector("text=your role cannot add any")
    assert reader.locator(".document").count() == 2
    assert faults(reader) == []
    assert reader.locator(".drop, .big-drop, [data-do=remove]").count() == 0
    assert not reader.locator(".document:has-text('anns.pdf')").count()
    reader.click("a[href=account]")
    reader.wait_for_selector("text=Change your password")
    assert not reader.locator("text=Add a user").count()

    page.click("[aria-label='Remove bob']")
    page.wait_for_selector("text=Erases all documents, conversations and saved questions of bob.")
    screenshot(page, "account-remove")
    page.click("button:text-is('Remove bob')")
    page.wait_for_selector("text=bob has been removed")
    reader.reload()
    reader.wait_for_selector("input[name=password]")


@pytest.mark.parametrize(("size", "scheme"), [((390, 844), "light"), ((1024, 768), "dark")])
def test_the_login_and_the_account_fit_small_screens_in_chinese(url, visit, screenshot, size, scheme):
    page = visit(url, size=size, locale="zh-CN", color_scheme=scheme)
    assert page.locator("button").inner_text() == "登录"
    log_in(page, "ann")
    page.wait_for_selector("[data-do=panel]", state="attached")
    page.click("#head a[href=account]:visible")
    page.wait_for_selector("text=添加用户")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(page, f"account-{scheme}")
    page.click("text=退出登录 >> nth=0")
    page.wait_for_selector("input[name=password]")
