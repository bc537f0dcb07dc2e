"""The page's own words in English and Chinese. Knows nothing of HTML: whoever shows them escapes.

Messages from the engine and the models (errors, notes, reasons) are translated by their template.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

from rag.messages import Message

Language = Literal["en", "zh"]

_WORDS: Final[dict[str, tuple[str, str]]] = {
    # key: (English, Chinese)
    "title": ("Ask your PDFs", "问你的 PDF"),
    "documents": ("Documents", "文档"),
    "conversation": ("Conversation", "对话"),
    "source": ("Source", "来源"),
    "language": ("中文", "English"),
    "theme": ("Switch between light and dark", "切换浅色与深色"),
    "log_out": ("Log out", "退出登录"),
    # What the program picked.
    "reader": ("Reader", "阅读器"),
    "embedder": ("Embedder", "嵌入模型"),
    "reranker": ("Reranker", "重排模型"),
    "device": ("Device", "设备"),
    "index": ("Index", "索引"),
    "loading": ("loading", "载入中"),
    "failed": ("failed", "失败"),
    "status": ("What runs here, and why", "当前运行的组件及原因"),
    "reader_loading": ("model loading", "模型载入中"),
    "reader_failed": ("model failed", "模型载入失败"),
    # Picking a model.
    "model_choose": ("Choose a model", "选择模型"),
    "model_quote": ("Quote reader (no model)", "引文阅读器（无模型）"),
    "model_quote_hint": ("Answers with sentences of the documents, word for word", "直接用文档原句作答"),
    "model_context": ("{n}K context", "上下文 {n}K"),
    "model_licence_own": ("maker's own licence", "厂商自有许可"),
    "model_here": ("on this machine", "已在本机"),
    "model_away": ("not on this machine", "不在本机"),
    "model_fetched": ("will be downloaded", "需下载"),
    "model_fits": ("fits", "可运行"),
    "model_too_large": ("too large", "内存不足"),
    "model_fetch_hint": ("A model that is not on this machine can be picked after a start with --allow-download.",
                         "不在本机的模型，需以 --allow-download 启动后才能选择。"),
    "model_other": ("Another one: a hub id", "其他模型：hub 名称"),
    "model_other_folder": ("Another one: a hub id or a folder", "其他模型：hub 名称或文件夹"),
    "model_precision": ("Precision", "精度"),
    "model_auto": ("auto", "自动"),
    "model_load": ("Use it", "使用"),
    "model_note": ("GB to load it and answer, computed from its published size.",
                   "GB 为载入并作答所需内存，按公布的规模计算。"),
    # Adding documents.
    "add": ("Add PDFs", "添加 PDF"),
    "drop": ("Drop PDFs here, or choose files", "将 PDF 拖到这里，或选择文件"),
    "drop_limit": ("Up to {megabytes} MB each", "每个文件不超过 {megabytes} MB"),
    "sending": ("Sending", "正在发送"),
    "not_sent": ("“{name}” could not be sent: the server did not answer. Try again.",
                 "“{name}”发送失败：服务器没有响应。请重试。"),
    "too_large": ("“{name}” is {size} MB; files of up to {limit} MB are taken. Split it, or start with a higher "
                  "--max-file-mb.",
                  "“{name}”有 {size} MB，超过 {limit} MB 的上限。请拆分文件，或用更大的 --max-file-mb 启动。"),
    "waiting": ("Waiting", "等待中"),
    "reading": ("Reading", "读取中"),
    "embedding": ("Embedding", "嵌入中"),
    "locked": ("Password needed", "需要密码"),
    "job_failed": ("Not added", "未添加"),
    "pages_read": ("{read} of {pages} pages", "第 {read} / {pages} 页"),
    "pages_read_unknown": ("page {read}", "已读 {read} 页"),
    "passages_embedded": ("{embedded} of {passages} passages", "段落 {embedded} / {passages}"),
    "per_second": ("{speed}/s", "每秒 {speed} 段"),
    "left": ("{time} left", "剩余 {time}"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分钟"),
    "hours": ("{n} h", "{n} 小时"),
    "progress": ("Progress of {name}", "{name} 的进度"),
    "password": ("Password of {name}", "{name} 的密码"),
    "password_hint": ("Password", "密码"),
    "unlock": ("Unlock", "解锁"),
    "cancel": ("Stop adding {name}", "停止添加 {name}"),
    "dismiss": ("Dismiss {name}", "关闭 {name} 的提示"),
    "dismiss_notice": ("Dismiss", "关闭"),
    "more_jobs": ("and {n} more", "还有 {n} 个"),
    # The list of documents.
    "no_documents": ("No documents yet", "还没有文档"),
    "no_documents_hint": ("Add PDFs to ask them anything. They stay on this machine.",
                          "添加 PDF 即可提问。文件只留在这台机器上。"),
    "ask_these": ("{chosen} of {all} asked", "提问范围：{chosen} / {all}"),
    "all": ("All", "全选"),
    "none": ("None", "全不选"),
    "ask_document": ("Ask {name}", "提问 {name}"),
    "remove": ("Remove {name}", "移除 {name}"),
    "remove_sure": ("Remove?", "确定移除？"),
    "shared": ("shared", "共享"),
    "filter": ("Find a document", "查找文档"),
    "notes": ("Notes", "说明"),
    "pages": ("{n} pages", "{n} 页"),
    "page_one": ("1 page", "1 页"),
    "kind_scanned": ("{n} scanned", "{n} 页扫描"),
    "kind_garbled": ("{n} unreadable", "{n} 页乱码"),
    "kind_empty": ("{n} empty", "{n} 页空白"),
    "kind_failed": ("{n} failed", "{n} 页失败"),
    # Asking.
    "question": ("Question", "问题"),
    "question_hint": ("Ask your documents…", "向你的文档提问…"),
    "ask": ("Ask", "提问"),
    "stop": ("Stop", "停止"),
    "new": ("New conversation", "新对话"),
    "welcome": ("What do you want to know?", "你想了解什么？"),
    "welcome_hint": ("Every sentence of an answer says which page it rests on. Open a number to see the page.",
                     "答案的每一句都注明出自哪一页。点开编号即可查看原页。"),
    "searching": ("Searching the documents…", "正在检索文档…"),
    "reading_sources": ("Reading the sources ({n})…", "正在阅读 {n} 个来源…"),
    "searched_for": ("Searched for: {query}", "检索内容：{query}"),
    "searched_apart": ("Searched part by part: {parts}", "分别检索：{parts}"),
    "sources": ("Sources", "来源"),
    "more_sources": ("{n} more sources", "另外 {n} 个来源"),
    "nearest": ("The nearest passages", "最接近的段落"),
    "refused": ("Nothing in the documents answers this.", "文档中没有找到答案。"),
    "page": ("p. {label}", "第 {label} 页"),
    "open_source": ("Open source {n}: {document}, page {label}", "打开来源 {n}：{document}，第 {label} 页"),
    "no_source": ("no source", "无来源"),
    "no_source_hint": ("No passage that was found supports this sentence.", "检索到的段落都不支持这句话。"),
    "stopped": ("Stopped", "已停止"),
    "answered": ("Answer complete.", "回答完毕。"),
    "took": ("{seconds} s", "{seconds} 秒"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    # The viewer.
    "viewer_empty": ("Open a number in an answer to see its page here.", "点开答案中的编号，即可在此查看原页。"),
    "page_of": ("Page {label}", "第 {label} 页"),
    "page_count": ("{n} of {pages}", "{n} / {pages}"),
    "previous_page": ("Previous page", "上一页"),
    "next_page": ("Next page", "下一页"),
    "back_to_source": ("Back to the passage", "回到该段落"),
    "close": ("Close", "关闭"),
    "page_alone": ("Page {label} of {document}", "{document} 第 {label} 页"),
    "page_picture": ("Page {label} of {document}; the passage is marked",
                     "{document} 第 {label} 页，已标出该段落"),
    "passage": ("Passage", "段落"),
    # Why a source was found.
    "why_these": ("Why these sources", "为何选中这些来源"),
    "why_this": ("Why it was found", "为何被选中"),
    "why_hint": ("Each way of looking gives a score and a place; the sources are ordered by all of them together. What"
                 " was searched for parts of the question, or in documents side by side, takes turns.",
                 "每种检索方式都给出得分和名次，来源按综合结果排序；分别检索的问题各部分或并列文档轮流列出。"),
    "signal_vectors": ("meaning", "语义"),
    "signal_words": ("words", "词语"),
    "signal_document": ("document", "文档"),
    "signal_overlap": ("term overlap", "词语重合"),
    "together": ("together", "综合"),
    "score": ("score", "得分"),
    "place": ("place", "名次"),
    # Evaluating the search.
    "views": ("Conversation or evaluation", "对话或评测"),
    "evaluate": ("Evaluate", "评测"),
    "right_page": ("Right page", "正确页"),
    "right_page_hint": ("Keep the question with this page as one that answers it, to measure the search with",
                        "保存这个问题，并把本页记为正确页，用于评测检索"),
    "right_page_kept": ("✓ Right page", "✓ 正确页"),
    "right_page_undo": ("Kept for “{question}”. Press again to take it back.",
                        "已为“{question}”保存。再按一次可撤销。"),
    "trial_hint": ("See how well your documents are searched, and whether a change made it better.",
                   "了解检索效果，以及每次改动是变好还是变差。"),
    "trial_ask": ("Ask a question and open the number that answers it.", "先提问，再点开给出答案的编号。"),
    "trial_mark": ("Press “Right page” above the page: the question is kept with it. Other right pages can be added.",
                   "在原页上方按“正确页”，问题即随该页保存；还可以再加其他正确页。"),
    "trial_run": ("Run the kept questions here, now and after any change of documents or settings.",
                  "在这里运行已保存的问题；更换文档或设置后再运行一次。"),
    "run": ("Run all", "全部运行"),
    "running": ("Progress of the run", "运行进度"),
    "run_whole": ("Every document is searched, ticked or not.", "检索全部文档，与勾选无关。"),
    "run_progress": ("{done} of {total} questions", "第 {done} / {total} 个问题"),
    "export": ("Export", "导出"),
    "export_hint": ("The kept questions as JSON lines, for python -m rag.evaluate",
                    "将保存的问题导出为 JSON Lines，供 python -m rag.evaluate 使用"),
    "quality": ("Right pages found", "找到正确页的比例"),
    "recall_at": ("recall@{k}", "召回率@{k}"),
    "mrr": ("MRR", "平均倒数排名"),
    "latency": ("Time of a search", "检索用时"),
    "median": ("median", "中位数"),
    "p95": ("95th percentile", "第 95 百分位"),
    "changes": ("What changed", "变化"),
    "against": ("Newest run against", "最新一次对比"),
    "among_first": ("found among the first", "以命中前几名为准"),
    "lost": ("Lost", "不再找到"),
    "won": ("Won", "新找到"),
    "moved": ("Moved", "名次变动"),
    "other_pages": ("Right pages changed", "正确页有更换"),
    "same": ("{n} at the same place", "{n} 个名次不变"),
    "rank": ("place {n}", "第 {n} 名"),
    "rank_none": ("not found", "未找到"),
    "not_run": ("not run yet", "尚未运行"),
    "not_run_pages": ("not run with these pages", "更换正确页后尚未运行"),
    "no_right_page": ("left out: no right page", "未参与：没有正确页"),
    "left_out": ("left out: document removed", "未参与：文档已移除"),
    "document_gone": ("a removed document", "已移除的文档"),
    "kept_questions": ("Kept questions · {n}", "已保存的问题 · {n}"),
    "forget": ("Remove the question “{question}”", "移除问题“{question}”"),
    "unmark": ("Not a right page", "不再作为正确页"),
    "runs": ("Runs · {n}", "运行记录 · {n}"),
    "run_time": ("Run", "时间"),
    "asked": ("questions", "问题数"),
    "of_questions": ("{n} of {m} questions", "{m} 个问题中的 {n} 个"),
    "forget_run": ("Remove the run of {time}", "移除 {time} 的运行记录"),
    "made_with": ("{embedder} · {documents} documents · {passages} passages",
                  "{embedder} · {documents} 份文档 · {passages} 个段落"),
    "nothing_differs": ("Same documents, same settings", "文档与设置均未改变"),
    "differs_embedder": ("embedder", "嵌入模型"),
    "differs_documents": ("documents", "文档"),
    "differs_passages": ("passages", "段落"),
    "differs_questions": ("questions", "问题"),
    "differs_reranker": ("reranker", "重排模型"),
    "differs_other_questions": ("other questions", "问题有更换"),
    "differs_right_pages": ("other right pages", "正确页有更换"),
    "differs_library": ("other documents", "文档有更换"),
}  # fmt: skip

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


def say(language: Language, key: str, **values: object) -> str:
    """The words for `key`, plain text. Raises KeyError for a key that is not there."""
    text = _WORDS[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


@cache
def chinese_messages() -> dict[str, str]:
    """Chinese templates of the messages of all packages by their English ones."""
    with Path(__file__).with_name("zh.toml").open("rb") as file:
        return dict(tomllib.load(file))


def say_message(language: Language, message: Message | str) -> str:
    """A message in the page's language, in English where there is no translation; text alone as it is."""
    if isinstance(message, str):
        return message
    template = chinese_messages().get(message.template, message.template) if language == "zh" else message.template
    values = {
        name: say_message(language, value) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    return template.format(**values) if values else template


def pick_language(cookie: str | None, accept: str | None) -> Language:
    """The language chosen before (a cookie), else the first one of Accept-Language that there is, else English."""
    if cookie == "zh":
        return "zh"
    if cookie == "en":
        return "en"
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "en"
