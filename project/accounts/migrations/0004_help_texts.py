import hubbub.text.names
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_sessions_of_a_user'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='username',
            field=models.CharField(error_messages={'unique': 'This name is taken, or looks like a name that is taken.'}, help_text='Shown to other users. Up to 150 characters: letters, digits and @ . + - _', max_length=150, unique=True, validators=[hubbub.text.names.validate_user_name], verbose_name='username'),
        ),
    ]
