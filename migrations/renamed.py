"""Renamed migrations: {name under which a database may have run it: present name}.

Databases keep the names in their collection `migrations`, as they were when the scripts ran. They are not rewritten,
and the runner records both names of a script that it runs, as older releases know the former one. Renaming a script
that a database may have run adds a line here.
"""

NAMES = {
    "m2026_11_23_foundation_indexes": "m202611230001_foundation_indexes",
    "m2026_11_24_api_token_indexes": "m202611240001_api_token_indexes",
    "m2026_11_24_comments_and_attachments": "m202611240002_comments_and_attachments",
    "m2026_11_24_identity_indexes": "m202611240003_identity_indexes",
    "m2026_11_24_identity_provider_indexes": "m202611240004_identity_provider_indexes",
    "m2026_11_24_labels_and_fields": "m202611240005_labels_and_fields",
    "m2026_11_24_orders_of_tasks": "m202611240006_orders_of_tasks",
    "m2026_11_24_relations": "m202611240007_relations",
    "m2026_11_24_reminders": "m202611240008_reminders",
    "m2026_11_24_second_factor_indexes": "m202611240009_second_factor_indexes",
    "m2026_11_24_sharing_indexes": "m202611240010_sharing_indexes",
    "m2026_11_24_trash_indexes": "m202611240011_trash_indexes",
    "m2026_11_24_users_found_by_name": "m202611240012_users_found_by_name",
    "m2026_11_24_views_and_search": "m202611240013_views_and_search",
    "m2026_11_24_workflows_and_positions": "m202611240014_workflows_and_positions",
    "m2026_11_24_z_indexes_of_lists": "m202611240015_indexes_of_lists",
    "m2026_11_24_zz_notifications": "m202611240016_notifications",
    "m2026_11_25_deliveries_wanted_at": "m202611250001_deliveries_wanted_at",
    "m2026_11_25_notifications_by_event": "m202611250002_notifications_by_event",
    "m2026_11_27_account_recovery": "m202611270001_account_recovery",
    "m2026_11_27_dates_of_filters": "m202611270002_dates_of_filters",
    "m2026_11_27_html_of_comments": "m202611270003_html_of_comments",
    "m2026_11_27_invitations_by_id": "m202611270004_invitations_by_id",
    "m2026_11_27_mail_counts": "m202611270005_mail_counts",
    "m2026_11_27_order_of_creation": "m202611270006_order_of_creation",
    "m2026_11_27_quotas": "m202611270007_quotas",
    "m2026_11_27_registrations": "m202611270008_registrations",
    "m2026_11_27_search_tokens": "m202611270009_search_tokens",
    "m2026_11_27_series_of_tasks": "m202611270010_series_of_tasks",
    "m2026_11_27_stored_filters": "m202611270011_stored_filters",
    "m2026_11_27_text_orders": "m202611270012_text_orders",
    "m2026_11_27_time_zones": "m202611270013_time_zones",
    "m2026_11_27_tokens_by_subject": "m202611270014_tokens_by_subject",
    "m2026_11_27_trash_of_projects": "m202611270015_trash_of_projects",
    "m2026_11_27_webhook_bodies": "m202611270016_webhook_bodies",
    "m2026_11_27_words_of_descriptions": "m202611270017_words_of_descriptions",
    "m2026_11_27_z_retention": "m202611270018_retention",
}

# Up to this script the order is that of the former names, which had a day and no time (`0001`, `0002` … are numbers and
# not times). Releases have added some between others, so a database may lack an older one.
LAST_UNTIMED = "m202611270018_retention"
